import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { identifyProcess, isAlive, signalProcess, type ProcessIdentity } from '@kilotoken/tools/process-identity';
import { LauncherHome, type Launcher } from '../support/launcher.js';
import { until } from '../support/until.js';

/** Whatever a supervisor, a shell or a person signals, nothing of `npm start` stays behind. */

const TEST_MS_MAX = 240_000;
const PROCESSES = 7;
const INTERRUPTION = fileURLToPath(new URL('../../tools/interruption.mjs', import.meta.url));

describe('npm start', () => {
  let home: LauncherHome;

  beforeAll(async () => {
    home = await LauncherHome.create('signals');
  });
  afterAll(() => home.clear(), TEST_MS_MAX);

  const startUp = async (): Promise<{ launcher: Launcher; processes: ProcessIdentity[] }> => {
    const launcher = await home.startUp();
    const processes = home.processes();
    expect(processes).toHaveLength(PROCESSES);
    return { launcher, processes };
  };

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with all its processes, and with 0, when npm alone gets %s', async (signal) => {
    const { launcher, processes } = await startUp();
    launcher.signalNpm(signal);
    expect(await launcher.untilEnded()).toBe(0);
    expect(processes.filter(isAlive)).toEqual([]);
    expect(launcher.output).toContain('Stopped.');
  }, TEST_MS_MAX);

  it.each(['SIGHUP', 'SIGKILL'] as const)('ends with all its processes in order when npm dies of %s and tells nobody', async (signal) => {
    const { launcher, processes } = await startUp();
    launcher.signalNpm(signal);
    await launcher.untilEnded();
    await until('all are gone', () => !processes.some(isAlive));
    expect(launcher.output).toContain('Stopped.');
  }, TEST_MS_MAX);

  it('ends with all its processes when only the launcher under npm gets SIGTERM', async () => {
    const { launcher, processes } = await startUp();
    signalProcess(home.launcherProcess(), 'SIGTERM');
    expect(await launcher.untilEnded()).toBe(0);
    expect(processes.filter(isAlive)).toEqual([]);
  }, TEST_MS_MAX);

  it('kills all its processes at the second SIGTERM, and ends with 143', async () => {
    const { launcher, processes } = await startUp();
    // A frozen process cannot stop in order.
    signalProcess(home.appProcess('gateway'), 'SIGSTOP');
    launcher.signalNpm('SIGTERM');
    await launcher.untilPrinted('Stopping');
    const signalledMs = performance.now();
    await until('a second signal is no echo of the first', () => performance.now() - signalledMs > 1_500);
    launcher.signalNpm('SIGTERM');
    expect(await launcher.untilEnded()).toBe(143);
    expect(processes.filter(isAlive)).toEqual([]);
    expect(launcher.output).toContain('Stopped by force.');
  }, TEST_MS_MAX);

  it('leaves nothing behind and ends with 143 when SIGTERM comes while it starts', async () => {
    const launcher = home.start();
    await launcher.untilPrinted('embedded Postgres 18');
    launcher.signalNpm('SIGTERM');
    expect(await launcher.untilEnded()).toBe(143);
    expect(home.processes()).toEqual([]);
    expect(launcher.output).toContain('Stopped before the start was complete.');
  }, TEST_MS_MAX);
});

describe('an npm script that prepares the checkout', () => {
  /** Runs a child that ignores or obeys signals, as a script runs npm ci and the build. */
  const prepare = async (onSignal: string) => {
    const code = `
      import { spawn } from 'node:child_process';
      import { listenForInterruption } from ${JSON.stringify(INTERRUPTION)};
      const interruption = listenForInterruption(() => process.stdout.write('cleaned up\\n'));
      const child = spawn(process.execPath, ['-e', ${JSON.stringify(`${onSignal} setInterval(() => undefined, 1e6); process.stdout.write('up')`)}], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
      interruption.track(child);
      child.stdout.once('data', () => process.stdout.write(child.pid + '\\n'));
    `;
    const script = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    script.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const exited = once(script, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const pid = await until('its child runs', () => /^\d+$/m.exec(output)?.[0]);
    const child = identifyProcess(Number(pid))!;
    return { script, child, exited, readOutput: () => output };
  };

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('ends what it runs on %s, cleans up, and ends with %i', async (signal, exitCode) => {
    const { script, child, exited, readOutput } = await prepare('');
    script.kill(signal);
    expect(await exited).toEqual([exitCode, null]);
    expect(isAlive(child)).toBe(false);
    expect(readOutput()).toContain('cleaned up');
  });

  it('kills what does not obey, at the second signal', async () => {
    const { script, child, exited } = await prepare("process.on('SIGTERM', () => process.stdout.write('no'));");
    script.kill('SIGTERM');
    script.kill('SIGTERM');
    expect((await exited)[0]).toBe(143);
    expect(isAlive(child)).toBe(false);
  });
});
