/**
 * The scope of a reconciliation: one organization or all, a period or everything. A period is a range of usage ids, which carry
 * the time of their request's admission; leases belong to the period of their closing, ratings and postings to that of their
 * posting. So consecutive periods cover everything once. Pure.
 */
export interface Scope {
  readonly organizationId: string | null;
  /** Inclusive. */
  readonly from: Date | null;
  /** Exclusive. */
  readonly to: Date | null;
}

const dayMs = 86_400_000;
/** A row is settled, rated and its lease closed at most so long after its id was minted; see `isWidened` for what is slower. */
const slackMs = dayMs;

/** The smallest UUIDv7 of a moment. */
const firstIdAt = (moment: Date): string => {
  const hex = Math.max(0, moment.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
};

/** The usage ids of a period: from the first, before the last. */
export interface IdRange {
  readonly firstId: string | null;
  readonly untilId: string | null;
}

export const idRangeOf = ({ from, to }: Pick<Scope, 'from' | 'to'>): IdRange => ({ firstId: from && firstIdAt(from), untilId: to && firstIdAt(to) });

const timeOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

/**
 * From when on ratings have all of their rows, where usage before `goneUntilId` was exported and has left the database: what was
 * admitted before that may have been rated a little later.
 */
export const ratedFromOf = (goneUntilId: string | null): Date | null => (goneUntilId === null ? null : new Date(timeOf(goneUntilId) + slackMs));

/** The facts about the snapshot. */
export interface Moment {
  readonly takenAt: Date;
  readonly ratedFrom: Date | null;
  /** When the logs were read, a little before; null without logs. */
  readonly logsReadFrom: Date | null;
}

/** Conditions for the statements of checks: each begins with AND, or is empty where everything is looked at. */
export interface ScopeSql {
  /** For the parameters of `scopeParameters`, in their order; $9 is the moment of the snapshot, $10 that of the logs. */
  readonly values: readonly unknown[];
  organization(column: string): string;
  /** A usage row of the period. */
  usage(alias: string): string;
  /** An id of the period. */
  ids(column: string): string;
  /** An id of a usage row that a rating of the period can have taken. */
  ratedIds(column: string): string;
  /** An id of a usage row that a lease of the period can have paid for; the lower bound is the leases' own. */
  leasedIds(column: string): string;
  /** Something that happened in the period. */
  times(column: string): string;
  /** A rating of the period all of whose rows are still there. */
  ratings(column: string): string;
  /** A lease that closed in the period, or that is open while the period lasts. */
  leases(alias: string): string;
}

/** Gives every parameter its type, also where a statement does not use it. */
export const scopeParameters =
  'scope_parameter AS (SELECT $1::uuid, $2::uuid, $3::uuid, $4::timestamptz, $5::timestamptz, $6::timestamptz, $7::uuid, $8::uuid, $9::timestamptz, $10::timestamptz)';

/**
 * `isWidened`: look for the rows of a rating however old they are. Without it a day before the period is enough unless
 * rating stood still for longer; who finds something looks again, widened, before saying so.
 */
export const scopeSql = (scope: Scope, { takenAt, ratedFrom, logsReadFrom }: Moment, isWidened = false): ScopeSql => {
  const { organizationId, from, to } = scope;
  const shifted = (moment: Date | null, byMs: number): string | null => moment && firstIdAt(new Date(moment.getTime() + byMs));
  const isPresentIncluded = to === null || to > takenAt;
  const organization = (column: string): string => (organizationId === null ? '' : ` AND ${column} = $1`);
  const ids = (column: string): string => `${from === null ? '' : ` AND ${column} >= $2`}${to === null ? '' : ` AND ${column} < $3`}`;
  const times = (column: string): string => `${from === null ? '' : ` AND ${column} >= $4`}${to === null ? '' : ` AND ${column} < $5`}`;
  const upper = (column: string): string => (to === null ? '' : ` AND ${column} < $8`);
  return {
    values: [organizationId, from && firstIdAt(from), to && firstIdAt(to), from, to, ratedFrom, shifted(from, -slackMs), shifted(to, slackMs), takenAt, logsReadFrom],
    organization,
    ids,
    times,
    usage: (alias) => organization(`${alias}.organization_id`) + ids(`${alias}.id`),
    ratedIds: (column) => (isWidened ? '' : `${from === null ? '' : ` AND ${column} >= $7`}${upper(column)}`),
    leasedIds: (column) => (isPresentIncluded || isWidened ? '' : upper(column)),
    ratings: (column) => times(column) + (ratedFrom === null ? '' : ` AND ${column} >= $6`),
    leases: (alias) =>
      `${organization(`${alias}.organization_id`)} AND (${isPresentIncluded ? `${alias}.closed_at IS NULL OR ` : ''}(${alias}.closed_at IS NOT NULL${times(`${alias}.closed_at`)}))`,
  };
};
