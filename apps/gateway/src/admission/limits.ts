/**
 * The amounts that a request needs of its limits, and the headers and refusals about them. Pure.
 *
 * Headers are OpenAI's: limit, remaining and reset of requests and of tokens, of the tightest limit if there are several;
 * times as `850ms`, `6m0s`, `1h30m0s`.
 */
import type { Holding } from '@kilotoken/funding';
import { describeLimit, isBudget, remainingOf, whole, wholePart, type Amount, type Counter, type Limit, type Need, type QuotaRefusal, type Reservation } from '@kilotoken/quota';
import type { Caller } from '../request/caller.js';
import type { Plan } from '../request/plan.js';
import { Refusal } from '../request/refusal.js';

const subjectOf = ({ subjectKind, subjectId }: Limit, endUser: string | null): string =>
  // Requests without `user` share one bucket, so omitting it does not evade the limit.
  subjectKind === 'end_user' ? (endUser ?? '') : subjectId;

/** The most that a request uses of a measure when each of its choices has so many tokens. */
const worstOf = ({ measure, unit }: Limit, plan: Plan, outputTokens: number): Amount => {
  const output = BigInt(plan.choices) * BigInt(outputTokens) + plan.predictedTokensMax;
  switch (measure) {
    case 'requests':
    case 'concurrency':
      return whole(1);
    case 'input_tokens':
      return whole(plan.promptTokensCounted);
    case 'output_tokens':
      return whole(output);
    case 'tokens':
      return whole(plan.promptTokensCounted + output);
    case 'money':
      return plan.units.find((paying) => paying.unit === unit)?.worst.hold(plan.promptTokensMax, output) ?? 0n;
  }
};

/** The most that a holding can charge in a unit, and the least of it that is worth running. */
const heldIn = ({ units, runs }: Holding, plan: Plan, unit: string): { want: Amount; least: Amount } => {
  const held = units.find((known) => known.unit === unit)?.hold.total ?? 0n;
  const isLast = units[runs.at(-1)!.of]!.unit === unit;
  const least = plan.units.find((paying) => paying.unit === unit)?.least ?? 0n;
  return { want: held, least: isLast && least < held ? least : held };
};

/** `holding`: what is held over several units, so that a budget counts the legs of its own unit alone; null where one unit pays. */
export const needsOf = (limits: NonNullable<Caller['limits']>, endUser: string | null, plan: Plan, holding: Holding | null): Need[] =>
  limits.map((limit) => ({
    limit,
    subject: subjectOf(limit, endUser),
    ...(limit.measure === 'money' && holding !== null
      ? heldIn(holding, plan, limit.unit)
      : { want: worstOf(limit, plan, plan.outputTokensMax), least: worstOf(limit, plan, plan.outputTokensMin) }),
  }));

/** How many tokens each choice may have on what was reserved, which may be less than was wanted. */
export const outputTokensUnder = ({ shrunk }: Reservation, plan: Plan): number => {
  let least = BigInt(plan.outputTokensMax);
  for (const { limit, amount } of shrunk) {
    const tokens = limit.measure === 'money' ? affordableIn(limit.unit, amount, plan) : wholePart(amount) - (limit.measure === 'tokens' ? plan.promptTokensCounted : 0n);
    const each = (tokens - plan.predictedTokensMax) / BigInt(plan.choices);
    if (each < least) least = each;
  }
  return Number(least);
};

/** Only the unit that pays the end of a request is ever reserved in part. */
const affordableIn = (unit: string, amount: Amount, plan: Plan): bigint =>
  plan.units.find((paying) => paying.unit === unit)!.worst.affordableOutput(plan.promptTokensMax, amount);

/** As OpenAI writes times: `850ms`, `1s`, `6m0s`, `1h30m0s`. */
export const formatReset = (ms: number): string => {
  const whole = Math.max(0, Math.ceil(ms));
  if (whole > 0 && whole < 1_000) return `${whole}ms`;
  const seconds = (whole % 60_000) / 1_000;
  const minutes = Math.floor(whole / 60_000) % 60;
  const hours = Math.floor(whole / 3_600_000);
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
};

const groupOf = ({ measure }: Limit): 'requests' | 'tokens' | null => {
  if (measure === 'requests') return 'requests';
  return measure === 'money' || measure === 'concurrency' ? null : 'tokens';
};

/** `x-ratelimit-*` of the tightest limits of requests and of tokens. */
export const rateLimitHeaders = (counters: readonly Counter[], nowMs: number): Record<string, string> => {
  const headers: Record<string, string> = {};
  for (const group of ['requests', 'tokens'] as const) {
    let tightest: Counter | null = null;
    for (const counter of counters) {
      if (groupOf(counter.limit) === group && (tightest === null || remainingOf(counter, nowMs) < remainingOf(tightest, nowMs))) tightest = counter;
    }
    if (tightest === null) continue;
    headers[`x-ratelimit-limit-${group}`] = String(wholePart(tightest.limit.amount));
    headers[`x-ratelimit-remaining-${group}`] = String(wholePart(remainingOf(tightest, nowMs)));
    headers[`x-ratelimit-reset-${group}`] = formatReset((tightest.resetAtMs ?? nowMs) - nowMs);
  }
  return headers;
};

/** Names the soft limits that a request went beyond. */
export const warningOf = (warnings: readonly Limit[]): string => warnings.map((limit) => `${limit.id} ${describeLimit(limit)}`).join(', ');

/** Beyond that a client's own retries are no use. */
const retryMsMax = 60_000;
const retryMsDefault = 1_000;

const amountText = ({ measure, unit }: Limit, amount: Amount): string =>
  measure === 'money' ? `${wholePart(amount)}.${String(amount % whole(1)).padStart(12, '0').replace(/0+$/, '') || '0'} ${unit}` : String(wholePart(amount));

/** The end of a budget's window: when enough is free, else when all is, else when the last slice ends; whichever the database has told. */
const windowEndOf = ({ freeAtMs, resetAtMs, slices }: Counter): number | null => freeAtMs ?? resetAtMs ?? slices.at(-1)?.untilMs ?? null;

/** Milliseconds until a retry may succeed; null (never) for a request that is larger than its limit. */
const retryMsOf = ({ limit, counter, retryAtMs, tooLarge }: QuotaRefusal, nowMs: number): number | null => {
  if (tooLarge) return null;
  // Idle room of others returns in a moment, but a client must not retry a month's budget every second.
  const atMs = retryAtMs ?? (limit && counter && isBudget(limit) ? windowEndOf(counter) : null);
  return Math.max(1, Math.ceil(atMs === null ? retryMsDefault : atMs - nowMs));
};

const retryHeaders = (retryMs: number | null): Record<string, string> => {
  if (retryMs === null) return { 'x-should-retry': 'false' };
  const times = { 'retry-after': String(Math.ceil(retryMs / 1_000)), 'retry-after-ms': String(retryMs) };
  return retryMs > retryMsMax ? { ...times, 'x-should-retry': 'false' } : times;
};

/** The 429 that names the limit and the time for a retry. */
export const refusalFor = (refused: QuotaRefusal, nowMs: number): Refusal => {
  const { limit, counter, want, counters } = refused;
  const retryMs = retryMsOf(refused, nowMs);
  const headers = {
    ...rateLimitHeaders(counter ? [counter, ...counters.filter(({ limit: other }) => groupOf(other) !== groupOf(counter.limit))] : counters, nowMs),
    ...retryHeaders(retryMs),
  };
  if (!limit || !counter) return new Refusal('rate_limit_exceeded', 'Too many requests of your organization are waiting for its limits. Try again shortly.', null, {}, headers);
  const numbers = `Limit ${amountText(limit, limit.amount)}, Remaining ${amountText(limit, remainingOf(counter, nowMs))}, Requested ${amountText(limit, want)}`;
  const advice = retryMs === null ? 'The request is larger than the limit, so a retry does not help. Lower max_tokens or shorten the prompt.' : `Please try again in ${formatReset(retryMs)}.`;
  const details = { limitId: limit.id };
  return new Refusal(isBudget(limit) ? 'budget_exceeded' : 'rate_limit_exceeded', `Limit reached on ${describeLimit(limit)}: ${numbers}. ${advice}`, null, details, headers);
};
