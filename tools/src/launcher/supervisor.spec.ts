import { describe, expect, it } from '@jest/globals';
import { SupervisedService, type Service, type ServiceProcess } from './supervisor.js';

/** A process that ends when the test says so. */
interface FakeProcess extends ServiceProcess {
  end(reason: string): void;
}

function startFake(pid: number): FakeProcess {
  let end: (reason: string) => void = () => undefined;
  const exited = new Promise<string>((resolve) => (end = resolve));
  return { identity: { pid, startedAt: `start ${pid}` }, exited, end };
}

/** A supervised service whose time moves only when it waits, and whose waits are recorded. */
function createHarness(overrides: Partial<Service<FakeProcess>> = {}) {
  const started: FakeProcess[] = [];
  const events: string[] = [];
  const waitsMs: number[] = [];
  let nowMs = 0;
  const service: Service<FakeProcess> = {
    name: 'gateway',
    start: async () => {
      const process = startFake(started.length + 1);
      started.push(process);
      return process;
    },
    waitUntilReady: async () => undefined,
    ...overrides,
  };
  const supervised = new SupervisedService(service, {
    backoffMsMin: 500,
    backoffMsMax: 4_000,
    steadyAfterMs: 60_000,
    onEvent: (sentence) => events.push(sentence),
    now: () => nowMs,
    wait: async (ms) => {
      waitsMs.push(ms);
      nowMs += ms;
    },
  });
  const live = (ms: number) => (nowMs += ms);
  return { supervised, started, events, waitsMs, live };
}

/** Lets everything run that waits for no more than promises. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('SupervisedService', () => {
  it('starts a process again that died, and says why and when', async () => {
    const { supervised, started, events } = createHarness();
    await supervised.start();
    started[0]?.end('SIGKILL');
    await settle();

    expect(supervised.process).toBe(started[1]);
    expect(events).toEqual(['gateway ended (SIGKILL). Restarting it in 0.5 s.', 'gateway is ready again.']);
    await supervised.letGo();
  });

  it('waits longer after each death, up to a bound, and begins anew after a steady life', async () => {
    const { supervised, started, waitsMs, live } = createHarness();
    await supervised.start();
    for (let death = 0; death < 5; death += 1) {
      started[death]?.end('exit code 1');
      await settle();
    }
    expect(waitsMs).toEqual([500, 1_000, 2_000, 4_000, 4_000]);

    live(60_000);
    started[5]?.end('exit code 1');
    await settle();
    expect(waitsMs.at(-1)).toBe(500);
    await supervised.letGo();
  });

  it('keeps trying when a restart itself fails', async () => {
    let failuresLeft = 0;
    const { supervised, events, started } = createHarness({
      start: async () => {
        if (failuresLeft > 0) throw new Error(`The port is taken (${(failuresLeft -= 1)}).`);
        started.push(startFake(started.length + 1));
        return started.at(-1)!;
      },
    });
    await supervised.start();
    failuresLeft = 3;
    started[0]?.end('SIGSEGV');
    await settle();

    expect(supervised.process).toBe(started[1]);
    expect(events.filter((event) => event.includes('could not start: The port is taken'))).toHaveLength(3);
    await supervised.letGo();
  });

  it('leaves a first start that fails to its caller and does not try again', async () => {
    const { supervised, started, events } = createHarness({ waitUntilReady: () => Promise.reject(new Error('It ended.')) });
    await expect(supervised.start()).rejects.toThrow('It ended.');
    started[0]?.end('exit code 78');
    await settle();

    expect(started).toHaveLength(1);
    expect(events).toEqual([]);
  });

  it('lets a process die in peace once it was let go, and hands it over to be stopped', async () => {
    const { supervised, started, events } = createHarness();
    await supervised.start();
    expect(await supervised.letGo()).toBe(started[0]);
    started[0]?.end('SIGTERM');
    await settle();

    expect(started).toHaveLength(1);
    expect(events).toEqual([]);
  });

  it('hands nothing over when the process is already gone', async () => {
    const { supervised, started } = createHarness();
    await supervised.start();
    const gone = supervised.letGo();
    started[0]?.end('SIGTERM');
    await gone;
    await settle();

    expect(supervised.process).toBeNull();
    expect(await supervised.letGo()).toBeNull();
  });
});
