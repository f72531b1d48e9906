const TICK_MS = 50;

/**
 * Time in which this process ran: a machine of tests stands still for seconds at times, and what should have happened then
 * could not.
 */
export const startRunningClock = (): { nowMs(): number; stop(): void } => {
  let lookedAtMs = performance.now();
  let stoodMs = 0;
  const look = (): number => {
    const nowMs = performance.now();
    stoodMs += Math.max(0, nowMs - lookedAtMs - 2 * TICK_MS);
    lookedAtMs = nowMs;
    return nowMs - stoodMs;
  };
  const timer = setInterval(look, TICK_MS);
  return { nowMs: look, stop: () => clearInterval(timer) };
};
