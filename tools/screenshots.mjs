// npm run screenshots: photographs every page of a running console, in both themes and languages, on a desk and on a phone.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { explainProblem, prepareWorkspace } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const desk = { width: 1280, height: 860 };
const phone = { width: 390, height: 844 };
const looks = ['light', 'dark'].flatMap((colorScheme) =>
  ['en-GB', 'zh-CN'].flatMap((locale) =>
    [desk, phone].map((viewport) => ({
      // A phone shows a page in many screens; the picture has them all.
      isWhole: viewport === phone,
      name: `${colorScheme}-${locale.slice(0, 2)}-${viewport === phone ? 'phone' : 'desk'}`,
      options: { colorScheme, locale, viewport, timezoneId: 'Europe/Berlin', reducedMotion: 'reduce' },
    })),
  ),
);

const terminal = createTerminal();
try {
  await prepareWorkspace(terminal);
} catch (error) {
  process.stderr.write(`\n${explainProblem(error)}\n`);
  process.exit(1);
}
const { consolePages } = await import('./dist/console-pages.js');
const { browserPath, consoleHome, findQuickstart, settled, signIn, userOf } = await import('./dist/console-visit.js');

const home = consoleHome(process.env);
const folder = join(home, 'screenshots');
const quickstart = findQuickstart(home);
if (quickstart === null) {
  process.stderr.write(`There is no quickstart.json in ${home}. Start the installation with npm start, and run this beside it.\n`);
  process.exit(1);
}

const photograph = async (page, look, name) => {
  await settled(page);
  await page.screenshot({ path: join(folder, look.name, `${name}.png`), fullPage: look.isWhole });
};

/** The newest request, where there is one. */
const photographRequest = async (page, look) => {
  const link = page.locator('tbody a').first();
  if ((await link.count()) === 0) return;
  await link.click();
  await page.locator('tfoot').first().waitFor();
  await photograph(page, look, 'request');
};

const photographAs = async (browser, look, role, pages) => {
  const context = await browser.newContext({ ...look.options, baseURL: quickstart.consoleUrl });
  if (role !== null) await signIn(context, quickstart, userOf(quickstart, role));
  const page = await context.newPage();
  for (const { name, path } of pages) {
    await page.goto(path);
    await photograph(page, look, name);
    if (name === 'requests') await photographRequest(page, look);
  }
  await context.close();
};

rmSync(folder, { recursive: true, force: true });
const browser = await chromium.launch({ executablePath: browserPath(process.env), chromiumSandbox: false });
for (const look of looks) {
  mkdirSync(join(folder, look.name), { recursive: true });
  for (const role of [null, 'owner', 'admin']) {
    await photographAs(
      browser,
      look,
      role,
      consolePages('demo').filter(({ as }) => as === role),
    );
  }
  process.stdout.write(`${look.name}\n`);
}
await browser.close();
process.stdout.write(`The pictures are in ${folder}\n`);
