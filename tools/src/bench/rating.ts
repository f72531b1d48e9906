import { RatingService } from '@kilotoken/metering';
import { systemClock } from '@kilotoken/platform';
import { pino } from 'pino';
import { startBareLoop, type BareLoop } from './rating-bare.js';
import { startRatingDatabase, storeUsage, type RatingDatabase } from './rating-database.js';
import { readRatingBenchOptions } from './rating-options.js';
import { median } from './report.js';
import { runMeasurement } from './run.js';

/**
 * npm run bench:rating: compares the rater's rows a second, in one process, with the least possible loop in the same language on the
 * same rows. Both work in turn on one database, a segment each. It never fails on a time.
 */
interface Measurement {
  readonly rows: number;
  readonly raterRowsPerSecond: number;
  readonly bareRowsPerSecond: number;
  /** The rater's rows a second ÷ the bare loop's: the median over the segments. */
  readonly ratio: number;
  readonly ratios: readonly number[];
  /** Rows a second in the last quarter of the segments ÷ those in the first. The machine is the cause of a loss of both. */
  readonly lastToFirst: Segment;
  readonly statementRowsPerSecond: number;
  /** Of this process so far, with both sides and the driver. */
  readonly residentMegabytesMax: number;
}

/** Rows a second. */
interface Segment {
  readonly rater: number;
  readonly bare: number;
}

const segmentsMin = 5;
const segmentRowsMax = 200_000;
const shards = Array.from({ length: 16 }, (_, shard) => shard);
const flushesPerRatingMax = 20_000;
/** The size of the rater's batches. */
const rowsPerBatch = 50_000;
/** Both sides work in whole batches, the rater in two at once, so shorter segments and a side's remainder are not counted. */
const segmentRowsMin = 2 * rowsPerBatch;

export const runBench = async (args: string[]): Promise<void> => {
  const options = readRatingBenchOptions(args);
  await runMeasurement(options.json, async ({ say, cleanup }) => {
    const database = await startRatingDatabase(options.organizations, cleanup);
    const measurements: Measurement[] = [];
    let stored = 0;
    for (const rows of options.rows) {
      say(`storing ${rows} usage rows of ${options.organizations} organizations`);
      await storeUsage(database, stored, rows);
      stored = rows;
      measurements.push(await measure(database, rows));
      describe(measurements.at(-1)!).forEach(say);
    }
    return { organizations: options.organizations, measurements };
  });
};

const measure = async (database: RatingDatabase, rows: number): Promise<Measurement> => {
  const { rows: clock } = await database.owner.query<{ now: Date }>('SELECT kt_now() AS now');
  const bare = await startBareLoop(database.owner, rowsPerBatch);
  const segments = await runSegments(database, bare, rows);
  await compareBooks(database, clock[0]!.now);
  const statementRowsPerSecond = await rateByStatement(database, rows);
  const ratios = segments.map((segment) => segment.rater / segment.bare);
  return {
    rows,
    raterRowsPerSecond: median(segments.map(({ rater }) => rater)),
    bareRowsPerSecond: median(segments.map((segment) => segment.bare)),
    ratio: median(ratios),
    ratios,
    lastToFirst: { rater: lastToFirst(segments.map(({ rater }) => rater)), bare: lastToFirst(segments.map((segment) => segment.bare)) },
    statementRowsPerSecond,
    residentMegabytesMax: process.resourceUsage().maxRSS / 1024,
  };
};

const lastToFirst = (speeds: readonly number[]): number => {
  const quarter = Math.max(1, Math.floor(speeds.length / 4));
  return median(speeds.slice(-quarter)) / median(speeds.slice(0, quarter));
};

/** Alternates until both sides have rated all rows. */
const runSegments = async ({ app }: RatingDatabase, bare: BareLoop, rows: number): Promise<Segment[]> => {
  let rated = 0;
  const rating = new RatingService({ shards, pauseMs: 1, flushesPerRatingMax }, app, systemClock, pino({ level: 'silent' }), (count, mismatches) => {
    if (mismatches > 0) throw new Error(`${mismatches} rows are not rated as they were stored`);
    rated += count;
  });
  const segmentRows = Math.max(segmentRowsMin, Math.min(segmentRowsMax, Math.ceil(rows / segmentsMin)));
  const segments: Segment[] = [];
  let read = 0;
  for (let target = segmentRows; rated < rows || read < rows; target += segmentRows) {
    const raterBegan = { at: performance.now(), rows: rated };
    // A rater with a backlog has two batches under way.
    const lane = async (): Promise<void> => {
      while (rated < Math.min(target, rows)) if (!(await rating.rateOnce())) return;
    };
    while (rated < Math.min(target, rows)) await Promise.all([lane(), lane()]);
    const bareBegan = { at: performance.now(), rows: read };
    while (read < Math.min(target, rows)) read += await bare.step();
    const endedAt = performance.now();
    const rowsOf = { rater: rated - raterBegan.rows, bare: read - bareBegan.rows };
    if (segments.length > 0 && Math.min(rowsOf.rater, rowsOf.bare) < rowsPerBatch) continue;
    segments.push({ rater: (rowsOf.rater * 1_000) / (bareBegan.at - raterBegan.at), bare: (rowsOf.bare * 1_000) / (endedAt - bareBegan.at) });
  }
  return segments;
};

/** Throws unless both sides posted the same amounts, to the last digit. */
const compareBooks = async ({ owner }: RatingDatabase, since: Date): Promise<void> => {
  const { rows } = await owner.query(
    `WITH rated AS (
       SELECT p.organization_id, p.account, sum(p.amount) AS amount FROM ledger_posting p
       JOIN ledger_transaction t ON t.organization_id = p.organization_id AND t.id = p.transaction_id WHERE t.kind = 'usage_rated' AND t.posted_at > $1 GROUP BY 1, 2),
     bare AS (SELECT organization_id, account, sum(amount) AS amount FROM bench_posting GROUP BY 1, 2)
     SELECT * FROM rated r FULL JOIN bare b USING (organization_id, account) WHERE r.amount IS DISTINCT FROM b.amount LIMIT 1`,
    [since],
  );
  if (rows.length > 0) throw new Error(`the rater and the bare loop posted different amounts: ${JSON.stringify(rows[0])}`);
};

/** The time of Postgres alone for the same postings, in one statement: without batches, proof or chain. */
const rateByStatement = async ({ owner }: RatingDatabase, rows: number): Promise<number> => {
  const startedAt = performance.now();
  await owner.query(
    `WITH total AS (
       SELECT u.organization_id, sum(round((u.counts ->> 'input')::numeric * i.amount / i.per, 12) + round((u.counts ->> 'output')::numeric * o.amount / o.per, 12)) AS rated,
         sum(u.cost) AS cost
       FROM usage u JOIN rate i ON i.price_version_id = u.price_version_id AND i.token_class = 'input'
       JOIN rate o ON o.price_version_id = u.price_version_id AND o.token_class = 'output' GROUP BY u.organization_id)
     INSERT INTO bench_posting (organization_id, transaction_id, line, account, unit, amount)
     SELECT t.organization_id, t.organization_id, l.line, l.account, 'USD', l.amount FROM total t CROSS JOIN LATERAL (VALUES
       (1, 'grant_liability', rated), (2, 'usage_revenue', -rated), (3, 'vendor_cost', cost), (4, 'vendor_payable', -cost)) AS l(line, account, amount)`,
  );
  return (rows * 1_000) / (performance.now() - startedAt);
};

const describe = (measured: Measurement): string[] => [
  `${measured.rows} rows: rater ${measured.raterRowsPerSecond.toFixed(0)} rows/s, bare loop ${measured.bareRowsPerSecond.toFixed(0)} rows/s, ratio ${measured.ratio.toFixed(3)}` +
    ` (median of ${measured.ratios.map((ratio) => ratio.toFixed(2)).join(', ')})`,
  `  the last quarter at ${measured.lastToFirst.rater.toFixed(2)} of the first one's speed (bare loop ${measured.lastToFirst.bare.toFixed(2)}), ${measured.residentMegabytesMax.toFixed(0)} MB at most; one SQL statement ${measured.statementRowsPerSecond.toFixed(0)} rows/s`,
];
