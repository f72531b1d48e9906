import { describe, expect, it } from '@jest/globals';
import { createReadiness, type ReadinessCheck } from './health.js';

const setUp = (checks: readonly ReadinessCheck[]) => {
  const state = { nowMs: 0, draining: false, failures: [] as string[] };
  const readiness = createReadiness({
    checks,
    clock: { nowMs: () => state.nowMs, monotonicMs: () => state.nowMs },
    isDraining: () => state.draining,
    onFailure: (name, error) => state.failures.push(`${name}: ${(error as Error).message}`),
  });
  return { state, readiness };
};

const never = new Promise<void>(() => undefined);

describe('readiness', () => {
  it('all checks pass: ready, each by name', async () => {
    const { readiness } = setUp([
      { name: 'database', check: async () => undefined },
      { name: 'model', check: async () => undefined },
    ]);
    expect(await readiness.report()).toEqual({ status: 'ready', checks: { database: { ok: true, latencyMs: 0 }, model: { ok: true, latencyMs: 0 } } });
  });

  it('one check fails: not ready, and the reason goes to the log, not to the caller', async () => {
    const { readiness, state } = setUp([
      { name: 'database', check: () => Promise.reject(new Error('password hunter2 refused')) },
      { name: 'model', check: async () => undefined },
    ]);
    const report = await readiness.report();
    expect(report).toMatchObject({ status: 'not_ready', checks: { database: { ok: false, reason: 'failed' }, model: { ok: true } } });
    expect(JSON.stringify(report)).not.toContain('hunter2');
    expect(state.failures).toEqual(['database: password hunter2 refused']);
  });

  it('a check that throws before it waits counts as failed', async () => {
    const { readiness } = setUp([{ name: 'database', check: () => { throw new Error('at once'); } }]);
    expect((await readiness.report()).status).toBe('not_ready');
  });

  it('a check that hangs is given up after its time, and is not started a second time while it hangs', async () => {
    let starts = 0;
    const { readiness, state } = setUp([{ name: 'database', timeoutMs: 5, check: () => ((starts += 1), never) }]);
    expect((await readiness.report()).checks).toEqual({ database: { ok: false, reason: 'timed_out' } });
    state.nowMs += 10_000;
    expect((await readiness.report()).status).toBe('not_ready');
    expect(starts).toBe(1);
  });

  it('asking often costs one check in half a second', async () => {
    let runs = 0;
    const { readiness, state } = setUp([{ name: 'database', check: async () => (runs += 1) }]);
    await Promise.all(Array.from({ length: 50 }, () => readiness.report()));
    expect(runs).toBe(1);
    state.nowMs = 501;
    await readiness.report();
    expect(runs).toBe(2);
  });

  it('a process that drains is not ready, without asking anybody', async () => {
    const { readiness, state } = setUp([{ name: 'database', check: () => Promise.reject(new Error('must not run')) }]);
    state.draining = true;
    expect(await readiness.report()).toEqual({ status: 'draining', checks: {} });
    expect(state.failures).toEqual([]);
  });
});
