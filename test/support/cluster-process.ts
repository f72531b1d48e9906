import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identifyProcess } from '@kilotoken/tools/process-identity';
import { testRunFolder } from './postgres.js';
import { until } from './until.js';

/** One of our applications as a real process: built code, its own process group, its log kept for when a test fails. */

export type AppName = 'gateway' | 'metering' | 'inference-worker' | 'backoffice' | 'api';

export interface AppProcessOptions {
  app: AppName;
  /** Unique in the run, for messages and files. */
  name: string;
  port: number;
  env: Record<string, string>;
  /** Of another release; this one's when left out. */
  appsFolder?: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const READY_MS_MAX = 60_000;
const EXIT_MS_MAX = 60_000;
const LOG_BYTES_MAX = 4 * 1024 * 1024;
const APPS_FOLDER = fileURLToPath(new URL('../../apps', import.meta.url));

/** What a process inherits: where programs are, and nothing that would configure it. */
const inherited = (): Record<string, string> => ({ PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', NODE_OPTIONS: '' });

export class AppProcess {
  readonly name: string;
  readonly port: number;
  private child: ChildProcess | null = null;
  private output = '';
  private exit: Exit | null = null;
  private env: Record<string, string>;

  constructor(private readonly options: AppProcessOptions) {
    this.name = options.name;
    this.port = options.port;
    this.env = options.env;
  }

  get pid(): number {
    if (!this.child?.pid) throw new Error(`${this.name} was not started`);
    return this.child.pid;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it and waits until it is ready. `env` is for this start alone. */
  async start(env: Record<string, string> = {}): Promise<void> {
    await this.spawn(env);
    await until(`${this.name} is ready`, () => this.isReady(), READY_MS_MAX).catch((error: unknown) => {
      this.signalGroup('SIGKILL');
      throw new Error(`${String(error)}\n${this.logs()}`);
    });
  }

  /** Starts it and does not wait: for a process that is to fail. */
  async spawn(env: Record<string, string> = {}): Promise<void> {
    if (this.child && !this.exit) throw new Error(`${this.name} runs already`);
    this.exit = null;
    const child = spawn(process.execPath, [join(this.options.appsFolder ?? APPS_FOLDER, this.options.app, 'dist/main.js')], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: testRunFolder(),
      env: { ...inherited(), ...this.env, ...env },
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => this.keep(text.toString()));
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    // The global teardown ends what outlives a killed worker.
    const processFile = join(testRunFolder(), `${this.name}-${child.pid}.process.json`);
    writeFileSync(processFile, JSON.stringify(identifyProcess(child.pid!) ?? {}));
    child.once('exit', (code, signal) => {
      this.exit = { code, signal };
      rmSync(processFile, { force: true });
    });
  }

  async isReady(): Promise<boolean> {
    if (this.exit) throw new Error(`${this.name} ended with ${JSON.stringify(this.exit)}`);
    try {
      const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000), headers: { connection: 'close' } });
      await answer.arrayBuffer();
      return answer.status === 200;
    } catch {
      // Nothing listens yet, or it is too busy to say so.
      return false;
    }
  }

  hasEnded(): boolean {
    return this.exit !== null;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.exit) this.child?.kill(signal);
  }

  signalGroup(signal: NodeJS.Signals): void {
    if (this.exit || !this.child?.pid) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  untilExit(timeoutMs = EXIT_MS_MAX): Promise<Exit> {
    return until(`${this.name} has ended`, () => this.exit, timeoutMs);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    if (!this.child) return { code: null, signal: null };
    // A stopped process hears nothing but SIGKILL.
    this.signalGroup(signal);
    return this.untilExit();
  }

  /** Ends it, however it is, and starts it again on the same port. */
  async restart(env: Record<string, string> = {}): Promise<void> {
    await this.kill();
    await this.start(env);
  }

  /** What it logged, its end if it was much. */
  logs(): string {
    return `--- ${this.name}${this.exit ? ` (ended: ${JSON.stringify(this.exit)})` : ''}\n${this.output}`;
  }

  /** The log's JSON lines of one event. A process gathers lines for up to a second. */
  events(event: string): Record<string, unknown>[] {
    const needle = `"event":"${event}"`;
    return this.output
      .split('\n')
      .filter((line) => line.includes(needle) && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  private keep(text: string): void {
    this.output = (this.output + text).slice(-LOG_BYTES_MAX);
  }
}
