import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { consolePages } from '@kilotoken/tools/console-pages';
import { demoSlug, settled, type ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const themes = ['light', 'dark'] as const;
const PAGES_MS_MAX = 600_000;
const phone = { width: 390, height: 844 };
/** Runs in the page. A table may scroll by itself, yet on a phone nobody sees that it does. */
const isTooWide = "document.documentElement.scrollWidth > innerWidth || [...document.querySelectorAll('.mantine-TableScrollContainer-scrollContainer')].some((frame) => frame.scrollWidth > frame.clientWidth + 1)";

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Runs in the page, which knows `axe` from its source. */
const findViolations = (page: Page): Promise<Violation[]> => page.evaluate("axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)");

/** Colours are measured once the page wears the theme and no transition runs. */
const wearTheme = async (page: Page, theme: (typeof themes)[number]): Promise<void> => {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
  await page.locator(`html[data-mantine-color-scheme="${theme}"]`).waitFor();
  // A transition begins with the frame after the change.
  await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
  await page.evaluate('Promise.allSettled(document.getAnimations().map(({ finished }) => finished))');
};

const describeViolation = (where: string, { id, nodes }: Violation): string => `${where}: ${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary?.replace(/\s+/g, ' ').slice(0, 240) ?? ''}`;

export const proveAccessibility = (world: () => ConsoleWorld): void => {
  itNeeds('chromium')(
    'has nothing serious for axe to find, in both themes, and writes no error to the console',
    async () => {
      const pages = { owner: await world().pageOf('owner'), admin: await world().pageOf('admin'), nobody: await world().newPage() };
      world().complaints.length = 0;
      const found: string[] = [];
      for (const { name, path, as } of consolePages(demoSlug)) {
        const page = pages[as ?? 'nobody'];
        await page.goto(path);
        await settled(page);
        await page.evaluate(axe);
        for (const theme of themes) {
          await wearTheme(page, theme);
          const violations = await findViolations(page);
          found.push(...violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map((violation) => describeViolation(`${name} in ${theme}`, violation)));
        }
      }
      expect(found).toEqual([]);
      expect(world().complaints).toEqual([]);
    },
    PAGES_MS_MAX,
  );

  itNeeds('chromium').each(['en-GB', 'zh-CN'])(
    'fits a phone in %s: neither a page nor a table is wider than the screen',
    async (locale) => {
      const pages = { owner: await world().pageOf('owner', 0, { locale, viewport: phone }), admin: await world().pageOf('admin', 0, { locale, viewport: phone }), nobody: await world().newPage({ locale, viewport: phone }) };
      const wide: string[] = [];
      for (const { name, path, as } of consolePages(demoSlug)) {
        const page = pages[as ?? 'nobody'];
        await page.goto(path);
        await settled(page);
        if (await page.evaluate<boolean>(isTooWide)) wide.push(name);
      }
      expect(wide).toEqual([]);
    },
    PAGES_MS_MAX,
  );
};
