import { AppError, asOrganization, type Db } from '@kilotoken/platform';
import type { Pool } from 'pg';
import { foldSums, rollupQuerySchema, type Granularity, type ParsedRollupQuery, type RollupQuery, type RollupSums, type UsageRollup } from './rollup.js';
import { grainOf, readMinutesFrom, readSums, resolveMoment } from './rollup.store.js';

/** How long a range may be, so that its periods stay below some thousands. */
const daysMax: Readonly<Record<Granularity, number>> = { minute: 2, hour: 100, day: 1_100, month: 1_100 };
const rowsMax = 20_000;
const dayMs = 86_400_000;

const invalid = (code: string, publicMessage: string): AppError => new AppError({ code, kind: 'invalid', publicMessage });

/**
 * The use of an organization in [from, to), by minutes, hours, days or months of a time zone. Days may have 23 or 25 hours, hours that
 * a clock shows twice are two, and every usage row is in exactly one of them. Periods without use are left out. Throws an
 * AppError of kind invalid where the query cannot be answered exactly or would be answered with too much.
 */
export const readUsageRollup = async (pool: Pool, input: RollupQuery): Promise<UsageRollup[]> => {
  const query = parseQuery(input);
  return asOrganization(pool, query.organizationId, async (db) => foldSums(await readParsed(db, query), query.groupBy));
};

/** As `readUsageRollup`, in its caller's transaction, with a row for each unit and cost currency apart. */
export const readRollupSums = async (db: Db, input: RollupQuery): Promise<RollupSums[]> => readParsed(db, parseQuery(input));

const parseQuery = (input: RollupQuery): ParsedRollupQuery => {
  const parsed = rollupQuerySchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid('rollup_query_invalid', parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the query'}: ${message}`).join('; '));
};

const readParsed = async (db: Db, query: ParsedRollupQuery): Promise<RollupSums[]> => {
  const [from, until] = [await resolveMoment(db, query.from, query.timeZone), await resolveMoment(db, query.to, query.timeZone)];
  const grainMs = grainOf(query.granularity, query.timeZone) * 60_000;
  if (from >= until) throw invalid('rollup_range_empty', 'The range ends before it begins.');
  if (until.getTime() - from.getTime() > daysMax[query.granularity] * dayMs) {
    throw invalid('rollup_range_too_long', `A range by ${query.granularity} may have at most ${daysMax[query.granularity]} days.`);
  }
  if (from.getTime() % grainMs !== 0 || until.getTime() % grainMs !== 0) {
    throw invalid('rollup_range_unaligned', `A range by ${query.granularity} in ${query.timeZone} must start and end on multiples of ${grainMs / 60_000} minutes.`);
  }
  if (query.granularity === 'minute' && from < (await readMinutesFrom(db))) {
    throw invalid('rollup_minutes_gone', 'Rollups by minute are no longer kept for that time: ask by hour or day.');
  }
  const rows = await readSums(db, query, { from, until }, rowsMax + 1);
  if (rows.length > rowsMax) throw invalid('rollup_too_large', `The answer has more than ${rowsMax} rows: ask for a shorter range or fewer groups.`);
  return rows;
};
