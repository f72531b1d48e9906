/**
 * A limit is an amount of a measure, for a subject, in a window. Pure.
 *
 *   { subjectKind: 'key', measure: 'requests', windowKind: 'rolling', windowMs: 60_000, amount: 10 }   10 requests a minute
 */

/** An exact count of 10⁻¹² of what a measure counts, as money is, so that one arithmetic serves all measures. */
export type Amount = bigint;

export const measures = ['requests', 'input_tokens', 'output_tokens', 'tokens', 'concurrency', 'money'] as const;
export type Measure = (typeof measures)[number];
export const subjectKinds = ['organization', 'project', 'key', 'end_user'] as const;
export type SubjectKind = (typeof subjectKinds)[number];
/** The subject that end users share who came when a limit had as many counters as it may have; `limit_rest` in `prisma/functions`. */
export const restSubject = '(other)';

export const calendarKinds = ['day', 'week', 'month'] as const;
export type WindowKind = (typeof calendarKinds)[number] | 'rolling' | 'none';

export interface Limit {
  readonly id: string;
  readonly subjectKind: SubjectKind;
  /** The project, or the first of the keys that a key was rolled from; else the organization. */
  readonly subjectId: string;
  readonly measure: Measure;
  /** A currency or a pack unit for money, else `count`. */
  readonly unit: string;
  readonly windowKind: WindowKind;
  /** The length of a rolling window, else 0. */
  readonly windowMs: number;
  readonly amount: Amount;
  /** A soft limit warns and lets pass. */
  readonly mode: 'hard' | 'soft';
}

const one = 1_000_000_000_000n;

/** Whole things (requests, tokens) as an amount. */
export const whole = (count: number | bigint): Amount => BigInt(count) * one;

/** An amount as whole things, rounded down; for people and headers. */
export const wholePart = (amount: Amount): bigint => amount / one;

const isCalendar = ({ windowKind }: Limit): boolean => windowKind !== 'rolling' && windowKind !== 'none';

/** Whether a limit is meant for days and weeks, so that a retry within seconds does not help. */
export const isBudget = (limit: Limit): boolean => limit.measure === 'money' || (isCalendar(limit) && limit.measure !== 'requests');

const span = (windowMs: number): string => {
  const units = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1_000]] as const;
  for (const [name, unitMs] of units) {
    if (windowMs % unitMs === 0) return windowMs === unitMs ? name : `${windowMs / unitMs} ${name}s`;
  }
  return `${windowMs} ms`;
};

/** `input tokens per minute of the project`, `USD per month of the organization`. */
export const describeLimit = (limit: Limit): string => {
  const what = limit.measure === 'money' ? limit.unit : limit.measure === 'concurrency' ? 'concurrent requests' : limit.measure.replace('_', ' ');
  const window = limit.windowKind === 'none' ? '' : ` per ${limit.windowKind === 'rolling' ? span(limit.windowMs) : limit.windowKind}`;
  return `${what}${window} of the ${limit.subjectKind === 'key' ? 'API key' : limit.subjectKind.replace('_', ' ')}`;
};
