import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';

/** An installation as a driven browser needs it: its console, and the demo's sign-ins. */

type Environment = Readonly<Record<string, string | undefined>>;

export interface ConsoleUser {
  readonly role: string;
  readonly email: string;
  readonly password: string;
}

export interface ConsoleQuickstart {
  readonly consoleUrl: string;
  readonly signInUrl: string;
  readonly users: readonly ConsoleUser[];
}

/** The data folder of `npm start`. */
export const consoleHome = (environment: Environment): string => resolve(fileURLToPath(new URL('../..', import.meta.url)), environment['KILOTOKEN_HOME'] ?? '.kilotoken');

/** Null: nothing was started in the folder. */
export const findQuickstart = (home: string): ConsoleQuickstart | null => {
  const file = join(home, 'quickstart.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ConsoleQuickstart) : null;
};

/** The whole path of the browser, which Playwright wants: CHROMIUM_PATH, else Debian's name on the PATH. */
export const browserPath = (environment: Environment): string => {
  const path = environment['CHROMIUM_PATH'] ?? 'chromium';
  return path.includes('/') ? path : execFileSync('which', [path], { encoding: 'utf8' }).trim();
};

/** The demo's person of a role; `index` tells two of the same role apart. */
export const userOf = ({ users }: ConsoleQuickstart, role: string, index = 0): ConsoleUser => {
  const user = users.filter((candidate) => candidate.role === role)[index];
  if (!user) throw new Error(`The demo has no user ${index} of role ${role}.`);
  return user;
};

/** Signs in by the route that programs use; the context's cookies hold the session. */
export const signIn = async (context: BrowserContext, { consoleUrl, signInUrl }: ConsoleQuickstart, { role, email, password }: ConsoleUser): Promise<void> => {
  const answer = await context.request.post(signInUrl, { data: { email, password }, headers: { origin: new URL(consoleUrl).origin } });
  if (!answer.ok()) throw new Error(`${role} could not sign in: ${answer.status()} ${await answer.text()}`);
};

const DRAWN_MS_MAX = 30_000;

/** Waits until the page has drawn all that it had to load. It polls from here, since the page's content policy refuses a condition to evaluate. */
export const settled = async (page: Page): Promise<void> => {
  await page.waitForLoadState('load');
  await page.getByRole('heading', { level: 1 }).first().waitFor({ timeout: DRAWN_MS_MAX });
  const loading = page.locator('[aria-busy="true"], .mantine-Skeleton-root, [role="status"] .mantine-Loader-root');
  await loading.first().waitFor({ state: 'detached', timeout: DRAWN_MS_MAX });
  await page.evaluate('document.fonts.ready');
};
