import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { findQuickstart, signIn, userOf, type ConsoleQuickstart } from '../console-visit.js';
import { findFreePort } from '../free-port.js';
import { accessibilityMin, median, performanceAim, table, type Form, type Scores } from './scores.js';

/** Lighthouse on the overview of the demo's owner, signed in. */

const forms: readonly Form[] = ['desktop', 'mobile'];
const DRAWN_MS_MAX = 30_000;
const AGAIN_MAX = 3;

interface LighthouseOptions {
  /** Of each form. */
  readonly runs: number;
  /** The data folder of `npm start`. */
  readonly home: string;
  /** The path of a Chromium. */
  readonly browser: string;
}

interface Measured {
  readonly scores: Scores;
  readonly page: string;
}

/** Measures the running installation and prints each run and the medians. Returns whether accessibility reaches its gate. */
export const runLighthouse = async ({ runs: runsWanted, home, browser }: LighthouseOptions): Promise<boolean> => {
  const quickstart = findQuickstart(home);
  if (!quickstart) throw new Error(`There is no quickstart.json in ${home}. Start the installation with npm start, and run this beside it.`);
  const folder = join(home, 'lighthouse');
  mkdirSync(folder, { recursive: true });
  let isReached = true;
  await visiting(quickstart, browser, async (measure) => {
    for (const form of forms) {
      const runs: Measured[] = [];
      while (runs.length < runsWanted) runs.push(await measure(form));
      const middle = median(runs.map(({ scores }) => scores));
      process.stdout.write(`\n${form}, ${new URL(quickstart.consoleUrl).origin}/o/demo\n\n${table(runs.map(({ scores }) => scores), middle)}\n`);
      writeFileSync(join(folder, `${form}.html`), runs.at(-1)!.page);
      isReached &&= form !== 'desktop' || middle.accessibility >= accessibilityMin;
    }
  });
  process.stdout.write(`\nGate: accessibility of the desktop form at least ${accessibilityMin}: ${isReached ? 'reached' : 'NOT REACHED'}. Aim: performance at least ${performanceAim}.\n`);
  process.stdout.write(`The reports of the last runs are in ${folder}\n`);
  return isReached;
};

/** A browser whose first context is signed in, which Lighthouse joins by its port. */
const visiting = async (quickstart: ConsoleQuickstart, browser: string, visit: (measure: (form: Form) => Promise<Measured>) => Promise<void>): Promise<void> => {
  const { default: lighthouse, desktopConfig } = await import('lighthouse');
  const port = await findFreePort();
  const profile = mkdtempSync(join(tmpdir(), 'kilotoken-lighthouse-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath: browser, chromiumSandbox: false, baseURL: quickstart.consoleUrl, locale: 'en-GB', args: [`--remote-debugging-port=${port}`] });
  try {
    await signIn(context, quickstart, userOf(quickstart, 'owner'));
    const page = await context.newPage();
    await page.goto('/o/demo');
    // An overview without its chart would be measured lighter than it is.
    await page.locator('figure svg').first().waitFor({ timeout: DRAWN_MS_MAX });
    await page.close();
    const url = new URL('/o/demo', quickstart.consoleUrl).href;
    await visit(async (form) => {
      const once = () => lighthouse(url, { port, output: 'html', logLevel: 'error', onlyCategories: ['performance', 'accessibility', 'best-practices'] }, form === 'desktop' ? desktopConfig : undefined);
      let result = await once();
      // A busy machine may lose the start of a trace; Lighthouse asks to be run again then.
      for (let again = 0; again < AGAIN_MAX && result?.lhr.runtimeError; again += 1) result = await once();
      if (!result || result.lhr.runtimeError) throw new Error(`Lighthouse measured nothing: ${result?.lhr.runtimeError?.message ?? 'no result'}`);
      if (result.lhr.finalDisplayedUrl !== url) throw new Error(`Lighthouse was led to ${result.lhr.finalDisplayedUrl} and measured that.`);
      const { categories, audits } = result.lhr;
      const score = (name: string): number => Math.round(100 * (categories[name]?.score ?? 0));
      const value = (name: string): number => audits[name]?.numericValue ?? Number.NaN;
      return {
        page: String(result.report),
        scores: {
          performance: score('performance'),
          accessibility: score('accessibility'),
          bestPractices: score('best-practices'),
          firstPaintMs: value('first-contentful-paint'),
          largestPaintMs: value('largest-contentful-paint'),
          blockedMs: value('total-blocking-time'),
          speedIndexMs: value('speed-index'),
          layoutShift: value('cumulative-layout-shift'),
        },
      };
    });
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
};
