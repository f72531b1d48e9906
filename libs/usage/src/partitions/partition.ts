/**
 * Partitions of usage: ranges of ids, which carry their time. Pure: what a partition is, which may leave the database, and
 * how a value of usage is written so that a file and the database can be compared to the last digit.
 */
export const partitionPeriods = ['month', 'day'] as const;
export type PartitionPeriod = (typeof partitionPeriods)[number];

/**
 * No usage leaves before this many days: what can still write or read it (a request that runs, a flush or a checkpoint that is executed
 * again, a lease that is open, a rating that waits) has ended long before.
 */
export const retentionDaysMin = 35;
const dayMs = 86_400_000;

export type PartitionState = 'attached' | 'exported' | 'detached' | 'dropped';

export interface Partition {
  readonly name: string;
  /** Ids of [firstId, untilId); by their time, [from, until). */
  readonly firstId: string;
  readonly untilId: string;
  readonly from: Date;
  readonly until: Date;
  readonly state: PartitionState;
  /** Of the archive; null before an export. */
  readonly rows: bigint | null;
  readonly digest: string | null;
  readonly file: string | null;
  readonly fileSha256: string | null;
  /** Whether the detached table was compared with its file. */
  readonly isProven: boolean;
}

/** Whether all of a partition is older than so many days. */
export const isDue = ({ until }: Pick<Partition, 'until'>, now: Date, retentionDays: number): boolean =>
  until.getTime() <= now.getTime() - Math.max(retentionDays, retentionDaysMin) * dayMs;

/** The columns of usage by their types; each value travels as one text, and null as null. */
export type ColumnKind = 'text' | 'boolean' | 'int32' | 'int64' | 'decimal' | 'timestamp';

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly nullable: boolean;
}

const kinds: Readonly<Record<string, ColumnKind>> = {
  uuid: 'text',
  text: 'text',
  jsonb: 'text',
  boolean: 'boolean',
  smallint: 'int32',
  integer: 'int32',
  bigint: 'int64',
  'numeric(38,12)': 'decimal',
  'timestamp with time zone': 'timestamp',
};

/** Throws for a type that nobody has said how to keep exactly. */
export const columnOf = (name: string, type: string, nullable: boolean): Column => {
  const kind = kinds[type];
  if (!kind) throw new Error(`the column ${name} has the type ${type}, of which no file can be written exactly`);
  return { name, kind, nullable };
};

/** The columns to select: times in whole microseconds, every other value in Postgres' own text. */
export const textExpression = ({ name, kind }: Column): string =>
  kind === 'timestamp' ? `((extract(epoch FROM ${name}) * 1000000)::bigint)::text` : `${name}::text`;

const decimalScale = 12;

/** A value as a Parquet writer takes it: a decimal is the whole number of its last digits, so nothing is rounded. */
export const fileValueOf = (kind: ColumnKind, text: string | null): string | number | bigint | boolean | null => {
  if (text === null) return null;
  switch (kind) {
    case 'text':
      return text;
    case 'boolean':
      return text === 'true';
    case 'int32':
      return Number(text);
    case 'int64':
    case 'timestamp':
      return BigInt(text);
    case 'decimal':
      return BigInt(text.replace('.', ''));
  }
};

/** Two's complement, the most significant byte first: how Parquet stores decimals. */
const wholeOfBytes = (bytes: Uint8Array): bigint => BigInt.asIntN(bytes.length * 8, bytes.reduce((whole, byte) => (whole << 8n) | BigInt(byte), 0n));

const formatDecimal = (whole: bigint): string => {
  const digits = (whole < 0n ? -whole : whole).toString().padStart(decimalScale + 1, '0');
  return `${whole < 0n ? '-' : ''}${digits.slice(0, -decimalScale)}.${digits.slice(-decimalScale)}`;
};

/** The text again, of a value that was read from a file: decimals come as bytes, times as microseconds. */
export const textOfFileValue = (kind: ColumnKind, value: unknown): string | null => {
  if (value === null || value === undefined) return null;
  return kind === 'decimal' ? formatDecimal(wholeOfBytes(value as Uint8Array)) : String(value);
};
