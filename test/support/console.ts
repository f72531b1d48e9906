import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { LauncherHome } from './launcher.js';
import { chromiumPath } from './requirements.js';
import { until } from './until.js';

export interface ConsoleUser {
  readonly role: string;
  readonly email: string;
  readonly password: string;
}

/** The slug of the demo owner's organization. */
export const demoSlug = 'demo';

interface ConsoleQuickstart {
  readonly consoleUrl: string;
  readonly signInUrl: string;
  readonly users: readonly ConsoleUser[];
}

/** An installation as `npm start` makes it, and a real browser that looks at it. */
export class ConsoleWorld {
  /** Errors that a page wrote to its console, a refused script or style among them. */
  readonly complaints: string[] = [];
  private readonly contexts: BrowserContext[] = [];

  private constructor(
    readonly home: LauncherHome,
    readonly browser: Browser,
    readonly quickstart: ConsoleQuickstart,
  ) {}

  static async create(): Promise<ConsoleWorld> {
    const home = await LauncherHome.create('console');
    await home.startUp();
    const browser = await chromium.launch({ executablePath: await executable(), chromiumSandbox: false });
    return new ConsoleWorld(home, browser, home.quickstart() as unknown as ConsoleQuickstart);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.home.clear();
  }

  user(role: string, index = 0): ConsoleUser {
    const user = this.quickstart.users.filter((candidate) => candidate.role === role)[index];
    if (!user) throw new Error(`the demo has no user ${index} of role ${role}`);
    return user;
  }

  /** A browser of its own, as somebody else's would be. */
  async newPage(): Promise<Page> {
    const context = await this.browser.newContext({ baseURL: this.quickstart.consoleUrl, locale: 'en-GB', timezoneId: 'Europe/Berlin', viewport: { width: 1280, height: 900 } });
    this.contexts.push(context);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(`${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(`${page.url()}: ${message.text()}`);
    });
    return page;
  }

  /** Signed in by the route that programs use. */
  async pageOf(role: string, index = 0): Promise<Page> {
    const page = await this.newPage();
    const { email, password } = this.user(role, index);
    const answer = await page.request.post(this.quickstart.signInUrl, { data: { email, password }, headers: { origin: new URL(this.quickstart.consoleUrl).origin } });
    if (!answer.ok()) throw new Error(`${role} could not sign in: ${answer.status()} ${await answer.text()}`);
    return page;
  }

  async closePages(): Promise<void> {
    for (const context of this.contexts.splice(0)) await context.close();
  }
}

/** Playwright wants a whole path; a name on the PATH is looked up. */
const executable = async (): Promise<string> => {
  const { execFileSync } = await import('node:child_process');
  const path = chromiumPath();
  return path.includes('/') ? path : execFileSync('which', [path], { encoding: 'utf8' }).trim();
};

/** The page has drawn what it had to load. */
export const settled = async (page: Page): Promise<void> => {
  await page.waitForLoadState('load');
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  await until('nothing is loading any more', async () => (await page.locator('[aria-busy="true"], .mantine-Skeleton-root, [role="status"] .mantine-Loader-root').count()) === 0);
};
