/**
 * How long to wait before another attempt. Schedules are lists of waits in seconds: the first follows the first failure. Each wait
 * is spread by a fifth to both sides, so that jobs that failed together are not tried together.
 *
 *   webhookWaitsSeconds[0] = 5, spread 0.75 → 5 × (1 + 0.2 × (2 × 0.75 − 1)) = 5.5 s
 */
export const webhookWaitsSeconds: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
export const mailWaitsSeconds: readonly number[] = [10, 60, 300, 1_800, 3_600, 10_800, 21_600];
export const nightWaitsSeconds: readonly number[] = [600, 600];

/** The first attempt, and one after each wait. */
export const attemptsMaxOf = (waitsSeconds: readonly number[]): number => waitsSeconds.length + 1;

const spreadShare = 0.2;
/** The longest wait that a receiver may ask for. */
const askedWaitMsMax = 86_400_000;

/**
 * Milliseconds until the attempt after `attempts` failed ones; null when there is none. `spread` is in [0, 1). A receiver may
 * ask for a longer wait, up to a day.
 */
export const retryWaitMs = (waitsSeconds: readonly number[], attempts: number, spread: number, askedWaitMs = 0): number | null => {
  const seconds = waitsSeconds[attempts - 1];
  if (seconds === undefined) return null;
  const waitMs = Math.round(seconds * 1_000 * (1 + spreadShare * (2 * spread - 1)));
  return Math.max(waitMs, Math.min(askedWaitMs, askedWaitMsMax));
};
