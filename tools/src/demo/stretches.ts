import type { Stretch } from './traffic.js';

/**
 * The steps in which time goes on. Requests of one step settle at its end, so charts are as fine as the steps: the last hours by the
 * minute, the last week by quarters of an hour, everything before by the hour. Each step costs some milliseconds.
 */
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const steps = [
  { withinMs: 4 * hourMs, stepMs: minuteMs },
  { withinMs: 7 * 24 * hourMs, stepMs: 15 * minuteMs },
] as const;

const stepAt = (atMs: number, endMs: number): number => steps.find(({ withinMs }) => atMs >= endMs - withinMs)?.stepMs ?? hourMs;

/** From one moment to another, in a history that ends at `endMs`. Pure. */
export const stretchesOf = (fromMs: number, untilMs: number, endMs: number): Stretch[] => {
  const stretches: Stretch[] = [];
  for (let atMs = fromMs; atMs < untilMs; ) {
    const nextMs = Math.min(untilMs, atMs + stepAt(atMs, endMs));
    stretches.push({ fromMs: atMs, untilMs: nextMs });
    atMs = nextMs;
  }
  return stretches;
};
