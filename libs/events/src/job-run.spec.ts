import { describe, expect, it } from '@jest/globals';
import { runBounded } from './job-run.js';
import type { JobOutcome } from './queue-table.js';

const done: JobOutcome = { ok: true, reason: 'done' };
const never = { everyMs: 60_000, renew: async () => true, onError: () => undefined };

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())));

describe('runBounded', () => {
  it('a run ends with the outcome of its processor, or with its error', async () => {
    expect(await runBounded(async () => done, { timeoutMs: 60_000, renewal: never })).toBe(done);
    await expect(runBounded(async () => Promise.reject(new TypeError('always')), { timeoutMs: 60_000, renewal: never })).rejects.toThrow(TypeError);
  });

  it('a run that takes too long is given up, whether it heeds its signal or not', async () => {
    let isTold = false;
    const run = (signal: AbortSignal): Promise<JobOutcome> => {
      void untilAborted(signal).then(() => (isTold = true));
      return new Promise(() => undefined);
    };
    expect(await runBounded(run, { timeoutMs: 5, renewal: never })).toEqual({ ok: false, reason: 'took longer than 0.005 s' });
    expect(isTold).toBe(true);
  });

  it('a run renews its claim, survives a failed renewal, and ends when it has lost the job', async () => {
    const answers = [true, new Error('the database is away'), true, false];
    const errors: unknown[] = [];
    const renew = async (): Promise<boolean> => {
      const answer = answers.shift()!;
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const ended = await runBounded(() => new Promise(() => undefined), { timeoutMs: 60_000, renewal: { everyMs: 1, renew, onError: (error) => errors.push(error) } });
    expect(ended).toEqual({ ok: false, reason: 'another run has the job' });
    expect([answers, errors]).toEqual([[], [new Error('the database is away')]]);
  });

  it('a draining process aborts the signal, before the run begins or in the middle, and waits for the run', async () => {
    const run = async (signal: AbortSignal): Promise<JobOutcome> => {
      await untilAborted(signal);
      return { ok: true, reason: 'ended early' };
    };
    const draining = new AbortController();
    const running = runBounded(run, { timeoutMs: 60_000, ending: draining.signal, renewal: never });
    draining.abort();
    expect(await running).toEqual({ ok: true, reason: 'ended early' });
    expect(await runBounded(run, { timeoutMs: 60_000, ending: draining.signal, renewal: never })).toEqual({ ok: true, reason: 'ended early' });
  });
});
