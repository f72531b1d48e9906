// npm run screenshots: photographs every page of a running console, in both themes and languages, on a desk and on a phone.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { explainProblem, prepareWorkspace, ROOT } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const DRAWN_MS_MAX = 30_000;
const desk = { width: 1280, height: 860 };
const phone = { width: 390, height: 844 };
const looks = ['light', 'dark'].flatMap((colorScheme) =>
  ['en-GB', 'zh-CN'].flatMap((locale) =>
    [desk, phone].map((viewport) => ({
      name: `${colorScheme}-${locale.slice(0, 2)}-${viewport === phone ? 'phone' : 'desk'}`,
      options: { colorScheme, locale, viewport, timezoneId: 'Europe/Berlin', reducedMotion: 'reduce' },
    })),
  ),
);

const terminal = createTerminal();
try {
  await prepareWorkspace(terminal);
} catch (error) {
  terminal.problem(explainProblem(error));
  process.exit(1);
}
const { consolePages } = await import('./dist/console-pages.js');

const home = resolve(ROOT, process.env.KILOTOKEN_HOME ?? '.kilotoken');
const folder = join(home, 'screenshots');
const quickstartFile = join(home, 'quickstart.json');
if (!existsSync(quickstartFile)) {
  terminal.problem(`There is no ${quickstartFile}. Start the installation with npm start, and run this beside it.`);
  process.exit(1);
}
const quickstart = JSON.parse(readFileSync(quickstartFile, 'utf8'));
const browserPath = process.env.CHROMIUM_PATH ?? execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim();

/** Drawn: no outline of something that is still loading. */
const untilDrawn = async (page) => {
  await page.waitForLoadState('load');
  const isDrawn = 'document.querySelector("h1") !== null && document.querySelector("[aria-busy=true], .mantine-Skeleton-root, .mantine-Loader-root") === null';
  await page.waitForFunction(isDrawn, null, { timeout: DRAWN_MS_MAX });
  await page.evaluate('document.fonts.ready');
};

const photograph = async (page, look, name) => {
  await untilDrawn(page);
  await page.screenshot({ path: join(folder, look.name, `${name}.png`) });
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
  const user = quickstart.users.find((candidate) => candidate.role === role);
  if (user) await context.request.post(quickstart.signInUrl, { data: { email: user.email, password: user.password }, headers: { origin: new URL(quickstart.consoleUrl).origin } });
  const page = await context.newPage();
  for (const { name, path } of pages) {
    await page.goto(path);
    await photograph(page, look, name);
    if (name === 'requests') await photographRequest(page, look);
  }
  await context.close();
};

rmSync(folder, { recursive: true, force: true });
const browser = await chromium.launch({ executablePath: browserPath, chromiumSandbox: false });
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
