import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { exitCodes } from '@kilotoken/platform/process';
import { itNeeds } from '../support/requirements.js';
import { until } from '../support/until.js';

/** A built process, started as the launcher does: what it prints, how it ends. It needs `npm run build`. */
const main = fileURLToPath(new URL('../../apps/backoffice/dist/main.js', import.meta.url));

const TOKEN = 'a-token-of-24-characters';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  output(): string;
  errors(): string;
}

const start = (settings: Record<string, string>): Started => {
  const environment = { BACKOFFICE_PORT: '0', INTERNAL_TOKEN: TOKEN, APP_DATABASE_URL: 'postgresql://a:b@127.0.0.1:1/c' };
  const child = spawn(process.execPath, [main], { env: { PATH: process.env['PATH'], ...environment, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
  cleanups.push(() => child.kill('SIGKILL'));
  let output = '';
  let errors = '';
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const exit = once(child, 'close').then(([code]) => code as number | null);
  return { child, exit, output: () => output, errors: () => errors };
};

const portOf = async ({ output }: Started): Promise<number> => Number(await until('it listens', () => /"event":"process.listening".*?"port":(\d+)/.exec(output())?.[1]));

/** Accepts connections and never says a word: what a database behind a broken network looks like. */
const startSilence = async (): Promise<{ port: number }> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
};

/** A process with one request that lasts: the rest of its body never comes. */
const startBusy = async (settings: Record<string, string>): Promise<Started> => {
  const started = start(settings);
  const socket = connect(await portOf(started), '127.0.0.1').on('error', () => undefined);
  cleanups.push(() => socket.destroy());
  // Told to go on, it knows that the request runs.
  socket.write(`POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n`);
  let answer = '';
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
  await until('its request runs', () => answer.startsWith('HTTP/1.1 100 '));
  return started;
};

describe('a process', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s: it drains, stops and says so', async (signal) => {
    const started = start({});
    await portOf(started);
    started.child.kill(signal);
    expect(await started.exit).toBe(exitCodes.stopped);
    expect(started.output()).toContain('"event":"process.stopped","drained":true');
  });

  it('wrong settings: all of them on standard error, and an exit code that says not to try again', async () => {
    const started = start({ INTERNAL_TOKEN: 'short', BACKOFFICE_PORT: 'x', REDIS_URL: 'y' });
    expect(await started.exit).toBe(exitCodes.misconfigured);
    expect(started.errors()).toMatch(/backoffice cannot start\. 3 settings are wrong:\n {2}INTERNAL_TOKEN is wrong: .*\n {2}BACKOFFICE_PORT is wrong: .*\n {2}REDIS_URL is wrong: /);
  });

  it('a taken port: which one, and the variable that changes it', async () => {
    const { port: taken } = await startSilence();
    const started = start({ BACKOFFICE_PORT: String(taken) });
    expect(await started.exit).toBe(exitCodes.misconfigured);
    expect(started.errors()).toContain(`BACKOFFICE_PORT is wrong: port ${taken} on 127.0.0.1 is already taken`);
  });

  it('a log file that cannot be written: the variable and the reason', async () => {
    const started = start({ LOG_FILE: '/no/such/folder/backoffice.log' });
    expect(await started.exit).toBe(exitCodes.misconfigured);
    expect(started.errors()).toMatch(/LOG_FILE is wrong: ENOENT/);
  });

  itNeeds('linux')('a log on a full disk: said once on standard error, and the process works and stops as ever', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kilotoken-full-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    await symlink('/dev/full', join(folder, 'backoffice.1.log'));
    const started = start({ LOG_FILE: join(folder, 'backoffice.log') });
    await until('it says so', () => started.errors().includes('ENOSPC'));
    started.child.kill('SIGTERM');
    expect(await started.exit).toBe(exitCodes.stopped);
    expect(started.errors()).toBe('backoffice: the log cannot be written: ENOSPC: no space left on device, write\n');
  });

  it('what still runs when the drain is over is cut, and the exit code says so', async () => {
    const started = await startBusy({ DRAIN_MS: '50' });
    started.child.kill('SIGTERM');
    expect(await started.exit).toBe(exitCodes.drainTimedOut);
  });

  it('a second signal ends it at once', async () => {
    const started = await startBusy({ DRAIN_MS: '60000' });
    started.child.kill('SIGINT');
    started.child.kill('SIGTERM');
    expect(await started.exit).toBe(exitCodes.forced);
  });
});
