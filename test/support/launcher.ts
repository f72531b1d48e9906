import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '@kilotoken/tools/free-port';
import { findRunningPostgres } from '@kilotoken/tools/postgres';
import { identifyProcess, isAlive, signalProcess, type ProcessIdentity } from '@kilotoken/tools/process-identity';
import { patience } from './patience.js';
import { testRunFolder } from './postgres.js';
import { until } from './until.js';

/** `npm start` as a person runs it: in a process group of its own, as a terminal would, with a folder and ports of the test's. */

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const START_MS_MAX = 120_000;
const EXIT_MS_MAX = 60_000;
const PORTS = ['GATEWAY_PORT', 'API_PORT', 'METERING_PORT', 'BACKOFFICE_PORT', 'WORKER_PORT', 'GATEWAY_METRICS_PORT', 'API_METRICS_PORT'];

export interface Quickstart {
  gatewayUrl: string;
  apiKey: string;
  benchApiKey: string;
  databaseUrl: string;
  models: string[];
  model: string;
  engineModel: string | null;
  localModel: string | null;
  loopbackModel: string;
}

/** A data folder and its ports; several launchers may be started on it, one after the other. */
export class LauncherHome {
  private readonly started: Launcher[] = [];

  private constructor(
    readonly folder: string,
    readonly environment: Record<string, string>,
  ) {}

  static async create(name: string, environment: Record<string, string> = {}): Promise<LauncherHome> {
    const folder = join(testRunFolder(), `${name}-${process.pid}`);
    mkdirSync(folder);
    const ports = await Promise.all(PORTS.map(async (setting) => [setting, String(await findFreePort())] as const));
    return new LauncherHome(folder, { ...Object.fromEntries(ports), KILOTOKEN_HOME: folder, DRAIN_MS: '5000', KILOTOKEN_MODEL_PATH: 'loopback', ...patience, ...environment });
  }

  /** Begins `npm start`; `overrides` are further settings, `words` what follows the command. */
  start(overrides: Record<string, string> = {}, words: readonly string[] = []): Launcher {
    const launcher = new Launcher({ ...this.environment, ...overrides }, words);
    this.started.push(launcher);
    return launcher;
  }

  /** Begins and waits until everything runs. */
  async startUp(overrides: Record<string, string> = {}): Promise<Launcher> {
    const launcher = this.start(overrides);
    await launcher.untilPrinted('Kilotoken is running');
    // The rest of the summary may come in a later chunk. Its last line is the request to try; without a key or a model, where logs are.
    const { apiKey, model } = this.quickstart();
    await launcher.untilPrinted(apiKey && model ? /^ *-d '.*'\n/m : /^ *logs .*\n/m);
    // The run's teardown ends what a failed test leaves running.
    for (const identity of this.processes()) writeFileSync(join(testRunFolder(), `launcher-${identity.pid}.process.json`), JSON.stringify(identity));
    return launcher;
  }

  quickstart(): Quickstart {
    return JSON.parse(readFileSync(join(this.folder, 'quickstart.json'), 'utf8')) as Quickstart;
  }

  /** The launcher itself, which npm only wraps. */
  launcherProcess(): ProcessIdentity {
    const [file] = readdirSync(this.folder).filter((name) => /^launcher\.\d+\.lock$/.test(name));
    return JSON.parse(readFileSync(join(this.folder, file ?? ''), 'utf8')) as ProcessIdentity;
  }

  appProcess(name: string): ProcessIdentity {
    return JSON.parse(readFileSync(join(this.folder, 'processes', `${name}.json`), 'utf8')) as ProcessIdentity;
  }

  /** Everything of this installation that runs now: launcher, apps, Postgres. */
  processes(): ProcessIdentity[] {
    const apps = readdirSync(join(this.folder, 'processes')).map((file) => this.appProcess(file.replace('.json', '')));
    const postgres = findRunningPostgres(join(this.folder, 'postgres', 'data'));
    return [this.launcherProcess(), ...apps, ...(postgres ? [postgres] : [])].filter(isAlive);
  }

  /** Ends whatever still runs, for the end of a test. */
  async clear(): Promise<void> {
    for (const launcher of this.started) launcher.killGroup();
    const left = this.processes();
    for (const identity of left) signalProcess(identity, 'SIGKILL');
    await until('everything of the installation is gone', () => !left.some(isAlive), EXIT_MS_MAX);
  }
}

export class Launcher {
  readonly pid: number;
  output = '';
  private exitCode: number | null | undefined;

  constructor(environment: Record<string, string>, words: readonly string[]) {
    const child: ChildProcess = spawn('npm', ['start', ...words], {
      cwd: REPOSITORY,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
    });
    this.pid = child.pid ?? 0;
    const collect = (chunk: Buffer) => (this.output += chunk.toString());
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.once('close', (code) => (this.exitCode = code));
  }

  async untilPrinted(text: string | RegExp): Promise<void> {
    await until(
      `"${text}" is printed`,
      () => {
        if (typeof text === 'string' ? this.output.includes(text) : text.test(this.output)) return true;
        if (this.exitCode !== undefined) throw new Error(`npm start ended with ${this.exitCode} and printed:\n${this.output}`);
        return false;
      },
      START_MS_MAX,
    );
  }

  /** Waits for the end, of npm and of all that writes to its output. The exit code; -1 when npm ended itself by the signal it got. */
  async untilEnded(): Promise<number> {
    const ended = await until('npm start has ended', () => this.exitCode !== undefined && { code: this.exitCode }, EXIT_MS_MAX);
    return ended.code ?? -1;
  }

  /** What a terminal does on Ctrl-C: the whole group gets the signal. */
  pressCtrlC(): void {
    process.kill(-this.pid, 'SIGINT');
  }

  /** What `kill` does with the pid that a shell or a supervisor knows: npm alone gets the signal. */
  signalNpm(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  killGroup(): void {
    if (identifyProcess(this.pid) && this.exitCode === undefined) process.kill(-this.pid, 'SIGKILL');
  }
}
