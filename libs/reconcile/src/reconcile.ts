/**
 * The model of a reconciliation: which checks there are, what each looked at, and what it found. Pure.
 *
 * A check is one SQL statement that judges rows of a snapshot. Its arithmetic is its own: it calls no function of the schema
 * and no code that it checks, so that a mistake of theirs cannot hide itself.
 */
import type { ScopeSql } from './scope.js';

/** The invariants of DESIGN §2 that a database, with the logs beside it, can prove. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10';

export interface Check {
  /** Stable, kebab-case: what scripts and alarms go by. */
  readonly name: string;
  readonly invariant: Invariant;
  /** The guarantee, as a sentence. */
  readonly says: string;
  /** The things that are counted as checked. */
  readonly subjects: string;
  /** The meaning of a finding's values: `expected 3 (taken by usage rows), found 4 (settled)`. */
  readonly expected: string;
  readonly found: string;
  /** The remedy for a finding. */
  readonly advice: string;
  /** Looks at what belongs to no organization: left out when one organization is asked for. */
  readonly wholeDatabaseOnly?: boolean;
  /**
   * Answers a row for each subject: organization_id uuid, place jsonb (the ids that name it), expected text, found text,
   * is_wrong boolean.
   */
  sql(scope: ScopeSql): string;
}

export interface Finding {
  /** Null: it belongs to none. */
  readonly organizationId: string | null;
  /** The ids that name it. */
  readonly place: Readonly<Record<string, string | number | null>>;
  readonly expected: string | null;
  readonly found: string | null;
}

export interface CheckResult extends Pick<Check, 'name' | 'invariant' | 'says' | 'subjects' | 'advice'> {
  readonly expectedIs: string;
  readonly foundIs: string;
  readonly checked: number;
  readonly found: number;
  /** The first `findingsMax` of them. */
  readonly findings: readonly Finding[];
  readonly elapsedMs: number;
}

/** Running or quarantined work: printed, never a finding. */
export interface InFlight {
  readonly openLeases: number;
  /** Slices of open leases, by unit, as exact decimals. */
  readonly leased: Readonly<Record<string, string>>;
  readonly openRequests: number;
  readonly unratedFlushes: number;
  readonly unratedRows: number;
  readonly unratedOldestSeconds: number;
  readonly sessions: number;
  /** Sessions whose heartbeat stands still: metering should have reaped them. */
  readonly sessionsSilent: number;
  /** Rows in quarantine by reason: each is somebody's to repair, and none of it is billed twice. */
  readonly quarantined: Readonly<Record<string, number>>;
  /** Rows whose id carries a time that no partition covers: a clock was far off. */
  readonly defaultPartitionRows: number;
  /** Usage rows that were exported and have left the database: of them only sums per lease are still proven. */
  readonly archivedRows: number;
  /** Those of them whose table was dropped. Their seals went with it: their file alone proves a row. */
  readonly droppedRows: number;
}

/** Vendors' answers without a usage row: our cost. */
export interface VendorOnly {
  readonly entries: number;
  readonly promptTokens: string;
  readonly outputTokens: string;
  readonly first: readonly Finding[];
}

/** Rows on one side of the vendor's counts: tokens and money by unit, as exact decimals, are the sums of the differences. */
export interface EstimateSide {
  readonly rows: number;
  readonly promptTokens: string;
  readonly outputTokens: string;
  readonly money: Readonly<Record<string, string>>;
}

/** Charges of rows with estimated counts, compared with the vendor's counts at their prices and holds. Not findings. */
export interface Estimates {
  /** Customers paid too much; the differences are above zero or, of tokens that another class paid for, below it. */
  readonly over: EstimateSide;
  /** Customers paid too little. */
  readonly under: EstimateSide;
  /** Charged as the vendor counted. */
  readonly equalRows: number;
  /** The first `findingsMax`, the largest difference of money first. */
  readonly first: readonly Finding[];
}

export interface LogSummary {
  /** Null where no such log was given. */
  readonly clientEntries: number | null;
  readonly vendorEntries: number | null;
  /** Usage rows that settled so late that the vendor's log, as it was read, may lack them: not compared. */
  readonly tooRecent: number;
  /** Usage rows whose counts are the lane's tokenizer's: no check holds them against the vendor's, `estimates` does. */
  readonly estimated: number;
  /** Absent where there are no such rows. */
  readonly estimates?: Estimates;
  /** Null without a vendor's log. */
  readonly vendorOnly: VendorOnly | null;
}

/** An exported file that was not read, and why: nothing is said of it. */
export interface UnreadFile {
  readonly partition: string;
  readonly file: string;
  readonly reason: string;
}

/** Files of exported usage. */
export interface ArchiveSummary {
  /** That were read whole, and their rows. */
  readonly files: number;
  readonly rows: number;
  readonly unread: readonly UnreadFile[];
}

export interface ReconcileReport {
  readonly holds: boolean;
  readonly organization: string | null;
  readonly from: string | null;
  readonly to: string | null;
  /** Database time of the snapshot. */
  readonly snapshotAt: string;
  readonly checks: readonly CheckResult[];
  readonly inFlight: InFlight;
  readonly archives: ArchiveSummary;
  readonly logs: LogSummary | null;
  readonly elapsedMs: number;
}

/** One finding as a line that a person can act on. */
export const describeFinding = (check: CheckResult, { organizationId, place, expected, found }: Finding): string => {
  const where = [...(organizationId === null ? [] : [`organization ${organizationId}`]), ...Object.entries(place).map(([name, id]) => `${name} ${id}`)].join(', ');
  return `${check.invariant} ${check.name}: ${where}: expected ${expected ?? 'nothing'} (${check.expectedIs}), found ${found ?? 'nothing'} (${check.foundIs})`;
};
