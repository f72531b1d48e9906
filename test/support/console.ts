import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { browserPath, signIn, userOf, type ConsoleQuickstart, type ConsoleUser } from '@kilotoken/tools/console-visit';
import { LauncherHome } from './launcher.js';

export { settled } from '@kilotoken/tools/console-visit';

/** The slug of the demo owner's organization. */
export const demoSlug = 'demo';

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
    const browser = await chromium.launch({ executablePath: browserPath(process.env), chromiumSandbox: false });
    return new ConsoleWorld(home, browser, home.quickstart() as unknown as ConsoleQuickstart);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.home.clear();
  }

  user(role: string, index = 0): ConsoleUser {
    return userOf(this.quickstart, role, index);
  }

  /** A browser of its own, as somebody else's would be. */
  async newPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ baseURL: this.quickstart.consoleUrl, locale: 'en-GB', timezoneId: 'Europe/Berlin', viewport: { width: 1280, height: 900 }, ...options });
    this.contexts.push(context);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(`${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(`${page.url()}: ${message.text()}`);
    });
    return page;
  }

  /** Signed in by the route that programs use. */
  async pageOf(role: string, index = 0, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await this.newPage(options);
    await signIn(page.context(), this.quickstart, this.user(role, index));
    return page;
  }

  async closePages(): Promise<void> {
    for (const context of this.contexts.splice(0)) await context.close();
  }
}
