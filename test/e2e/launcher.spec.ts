import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '@kilotoken/tools/free-port';
import { findRunningPostgres } from '@kilotoken/tools/postgres';
import { isAlive, signalProcess } from '@kilotoken/tools/process-identity';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import pg from 'pg';
import { LauncherHome, type Launcher, type Quickstart } from '../support/launcher.js';
import { itNeeds } from '../support/requirements.js';
import { until } from '../support/until.js';

/** What `npm start` promises, on real processes. The tests of the first block share one installation and run in order. */

const APPS = ['gateway', 'api', 'metering', 'backoffice', 'inference-worker'];
const TEST_MS_MAX = 240_000;

const readyStatus = async (origin: string): Promise<number | null> => {
  const response = await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
  return response?.status ?? null;
};

describe('an installation', () => {
  let home: LauncherHome;
  let launcher: Launcher;
  let first: Quickstart;

  const outputs: string[] = [];
  const start = async (): Promise<void> => {
    launcher = await home.startUp();
    outputs.push(launcher.output);
  };

  const openai = () => new OpenAI({ baseURL: first.gatewayUrl, apiKey: first.apiKey, maxRetries: 0 });
  const ask = () => openai().chat.completions.create({ model: first.loopbackModel, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 8 });
  const readUsed = async (): Promise<number> => {
    const credits = (await openai().get('/credits')) as { data: { used: string }[] };
    return credits.data.reduce((sum, { used }) => sum + Number(used), 0);
  };

  beforeAll(async () => {
    home = await LauncherHome.create('installation');
    await start();
    first = home.quickstart();
  }, TEST_MS_MAX);

  afterAll(() => home.clear(), TEST_MS_MAX);

  it('starts from an empty folder, healthy, and says where everything is', async () => {
    for (const setting of ['GATEWAY_PORT', 'API_PORT', 'METERING_PORT', 'BACKOFFICE_PORT', 'WORKER_PORT']) {
      expect(await readyStatus(`http://127.0.0.1:${home.environment[setting]}`)).toBe(200);
    }
    expect(launcher.output).toContain(first.gatewayUrl);
    expect(launcher.output).toContain('curl');
    expect(first.gatewayUrl).toBe(`http://127.0.0.1:${home.environment['GATEWAY_PORT']}/v1`);
    expect(first.apiKey).toMatch(/^kt_live_/);
    expect(first.benchApiKey).toMatch(/^kt_live_/);
    expect(first.benchApiKey).not.toBe(first.apiKey);
    expect(first.models).toContain(first.loopbackModel);
  });

  it('keeps its secrets to their owner, and the owner of the database from the applications', () => {
    for (const file of ['quickstart.json', 'secrets.json']) expect(statSync(join(home.folder, file)).mode & 0o777).toBe(0o600);
    for (const folder of ['logs', 'processes']) expect(statSync(join(home.folder, folder)).mode & 0o077).toBe(0);
  });

  itNeeds('linux')('tells no application the login of the owner of the database', () => {
    const { password } = new URL(first.databaseUrl);
    for (const app of APPS) {
      const environment = readFileSync(`/proc/${home.appProcess(app).pid}/environ`, 'utf8');
      expect(environment).toContain('APP_DATABASE_URL=');
      expect(environment).not.toContain(password);
    }
  });

  it("runs README's program as it is written, in a folder with what the checkout has", () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const [, program] = /```js\n(.*?)```/s.exec(readme)!;
    expect(readme).toMatch(/Save this as `hello\.mjs` in the same folder and run `node hello\.mjs`/);
    const folder = join(home.folder, 'newcomer');
    mkdirSync(folder);
    symlinkSync(home.folder, join(folder, '.kilotoken'));
    symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'hello.mjs'), program!);
    const printed = execFileSync(process.execPath, ['hello.mjs'], { cwd: folder, encoding: 'utf8' });
    expect(printed).toContain('Hello!');
    expect(printed).toMatch(/cost: /);
  });

  it('answers and bills with the key of the demo', async () => {
    const answer = await ask();
    expect(answer.choices[0]?.message.content).toBeTruthy();
    expect(await readUsed()).toBeGreaterThan(0);
  });

  it('refuses a second start on the same folder, and disturbs nothing', async () => {
    const { pid } = home.launcherProcess();
    const second = home.start();
    expect(await second.untilEnded()).not.toBe(0);
    expect(second.output).toMatch(/already runs on/);
    expect(second.output).toContain(`process ${pid}`);
    expect(await readyStatus(first.gatewayUrl.replace('/v1', ''))).toBe(200);
  });

  it('names every port that is taken, and the setting of each', async () => {
    const other = await LauncherHome.create('taken-ports');
    const { GATEWAY_PORT, WORKER_PORT } = home.environment as { GATEWAY_PORT: string; WORKER_PORT: string };
    const refused = other.start({ GATEWAY_PORT, WORKER_PORT });
    expect(await refused.untilEnded()).not.toBe(0);
    expect(refused.output).toContain(`Ports ${GATEWAY_PORT} (GATEWAY_PORT), ${WORKER_PORT} (WORKER_PORT) are taken`);
    await other.clear();
  });

  it('starts a process again that dies, and says so', async () => {
    const before = home.appProcess('gateway');
    signalProcess(before, 'SIGKILL');
    await launcher.untilPrinted('gateway ended (SIGKILL)');
    await launcher.untilPrinted('gateway is ready again');
    expect(home.appProcess('gateway').pid).not.toBe(before.pid);
    expect((await ask()).choices).toHaveLength(1);
  });

  it('starts Postgres again when it dies, and loses nothing', async () => {
    const usedBefore = await readUsed();
    const postgres = findRunningPostgres(join(home.folder, 'postgres', 'data'))!;
    signalProcess(postgres, 'SIGKILL');
    await launcher.untilPrinted('postgres is ready again');
    await until('the gateway is ready again', async () => (await readyStatus(first.gatewayUrl.replace('/v1', ''))) === 200);
    expect(await readUsed()).toBe(usedBefore);
  });

  it('works after a kill -9 of the launcher: the next start stops what was left and keeps keys and data', async () => {
    const usedBefore = await readUsed();
    const before = home.processes();
    signalProcess(home.launcherProcess(), 'SIGKILL');
    launcher.killGroup();
    await until('the launcher is gone', () => !isAlive(before[0]!));
    expect(before.slice(1).every(isAlive)).toBe(true);

    await start();
    expect(launcher.output).toContain('Stopped the processes that it left running');
    expect(before.some(isAlive)).toBe(false);
    expect(home.quickstart()).toEqual(first);
    expect(await readUsed()).toBe(usedBefore);
  }, TEST_MS_MAX);

  it('stops everything on Ctrl-C, which the whole group gets, and the next start has all data', async () => {
    const usedBefore = await readUsed();
    const before = home.processes();
    expect(before).toHaveLength(APPS.length + 2);
    launcher.pressCtrlC();
    await launcher.untilEnded();
    expect(launcher.output).toContain('Stopped.');
    expect(before.filter(isAlive)).toEqual([]);
    // A clean stop of Postgres removes its pid file; a crash leaves it.
    expect(() => statSync(join(home.folder, 'postgres', 'data', 'postmaster.pid'))).toThrow('ENOENT');

    await start();
    expect(launcher.output).not.toContain('Stopped the processes that it left running');
    expect(home.quickstart()).toEqual(first);
    expect(await readUsed()).toBe(usedBefore);
  }, TEST_MS_MAX);

  it('is forced to end by a second Ctrl-C, and recovers', async () => {
    const usedBefore = await readUsed();
    const before = home.processes();
    // A process that cannot even hear the signal keeps the launcher waiting.
    signalProcess(home.appProcess('gateway'), 'SIGSTOP');
    launcher.pressCtrlC();
    await launcher.untilPrinted('Press Ctrl-C again');
    const pressedMs = performance.now();
    await until('a second press is no echo of the first', () => performance.now() - pressedMs > 1_500);
    launcher.pressCtrlC();
    await launcher.untilEnded();
    expect(before.filter(isAlive)).toEqual([]);

    await start();
    expect(await readUsed()).toBe(usedBefore);
  }, TEST_MS_MAX);

  it('sets up its database once: every later start finds it up to date', () => {
    const [firstOutput, ...laterOutputs] = outputs;
    expect(firstOutput).toMatch(/schema +\d+ migrations applied/);
    expect(laterOutputs).toHaveLength(3);
    for (const output of laterOutputs) expect(output).toMatch(/schema +up to date/);
  });
});

describe('a start that cannot work says what to do and changes nothing', () => {
  let home: LauncherHome;

  beforeAll(async () => {
    home = await LauncherHome.create('refused');
  });

  afterAll(() => home.clear());

  const refuse = async (overrides: Record<string, string>): Promise<string> => {
    const launcher = home.start(overrides);
    expect(await launcher.untilEnded()).not.toBe(0);
    expect(launcher.output).toContain('Kilotoken did not start.');
    // Advice, not a stack.
    expect(launcher.output).not.toMatch(/^ +at /m);
    return launcher.output.replace(/\s+/g, ' ');
  };

  it.each<[string[], string]>([
    [['--', '--port', '9999'], 'GATEWAY_PORT=9999 npm start'],
    [['--port', '9999'], 'GATEWAY_PORT=9999 npm start'],
    [['--port=9999'], 'GATEWAY_PORT=9999 npm start'],
    [['--gateway-port=9999'], 'GATEWAY_PORT=9999 npm start'],
    [['GATEWAY_PORT=9999'], 'GATEWAY_PORT=9999 npm start'],
    [['--', '--host', '0.0.0.0', '--port', '80'], 'HOST=0.0.0.0 GATEWAY_PORT=80 npm start'],
    [['--', '--home', '/srv/a b'], "KILOTOKEN_HOME='/srv/a b' npm start"],
    [['--', '--gpu'], 'KILOTOKEN_GPU=cuda npm start'],
    [['--', '--watch'], 'npm start -- --help'],
    [['production'], 'npm start -- --help'],
  ])('for arguments: npm start %j', async (words, advice) => {
    const refused = home.start({}, words);
    expect(await refused.untilEnded()).toBe(1);
    expect(refused.output).toContain('npm start takes no arguments');
    expect(refused.output).toContain(advice);
  });

  it('for wrong settings, all at once', async () => {
    const output = await refuse({ GATEWAY_PORT: 'http', KILOTOKEN_DEMO: 'maybe' });
    expect(output).toContain('GATEWAY_PORT is wrong');
    expect(output).toContain('KILOTOKEN_DEMO is wrong');
  });

  it('for a database that cannot be reached', async () => {
    const port = await findFreePort();
    const output = await refuse({ DATABASE_URL: `postgresql://kilotoken:hunter2@127.0.0.1:${port}/kilotoken` });
    expect(output).toContain('cannot be reached');
    expect(output).toContain('unset DATABASE_URL');
    expect(output).not.toContain('hunter2');
  });

  it('for a port of Postgres that is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    expect(await refuse({ POSTGRES_PORT: String(port) })).toContain(`Another program has port ${port}, which Postgres needs`);
    await new Promise((resolve) => blocker.close(resolve));
  });

  itNeeds('root')('for a folder that the unprivileged user of Postgres cannot reach', async () => {
    const closed = join(home.folder, 'closed');
    execFileSync('install', ['-d', '-m', '700', closed]);
    expect(await refuse({ KILOTOKEN_HOME: join(closed, 'home') })).toContain(`cannot enter ${closed}`);
    rmSync(closed, { recursive: true });
  });

  itNeeds('tmpfs')('for a full disk', async () => {
    const disk = join(home.folder, 'disk');
    execFileSync('install', ['-d', '-m', '755', disk]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=755', 'tmpfs', disk]);
    try {
      expect(await refuse({ KILOTOKEN_HOME: join(disk, 'home') })).toContain('The disk is full');
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

describe('with a database of your own', () => {
  it('migrates it and serves, and seeds no organization and no key unless asked to', async () => {
    const home = await LauncherHome.create('external');
    const { createEmptyDatabase } = await import('../support/postgres.js');
    const database = await createEmptyDatabase();
    try {
      await home.startUp({ DATABASE_URL: database.ownerUrl });
      expect(home.quickstart()).toMatchObject({ apiKey: null, benchApiKey: null, databaseUrl: database.ownerUrl });
      expect(findRunningPostgres(join(home.folder, 'postgres', 'data'))).toBeNull();
      const client = new pg.Client({ connectionString: database.ownerUrl });
      await client.connect();
      expect((await client.query('SELECT count(*)::int AS organizations FROM organization')).rows).toEqual([{ organizations: 0 }]);
      await client.end();
    } finally {
      await home.clear();
      await database.drop();
    }
  }, TEST_MS_MAX);
});
