import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { TokenCounts } from '@kilotoken/contracts';
import { formatMoney, minMoney, parseMoney, type Money } from '@kilotoken/money';
import { AppError, inTransaction, mintId, sqlStateOf, type Db } from '@kilotoken/platform';
import { loadPriceVersion, rateUsage } from '@kilotoken/pricing';
import type { Pool } from 'pg';
import { z } from 'zod';
import { parseQuarantinedRows, replayKindOf, type QuarantineKey, type QuarantinedRow, type QuarantinedUsage } from './quarantine.js';
import { adjustRating, endSession, findUsage, insertStep, listQuarantined, lockQuarantined, settleRows, startSession, takeForRow, type QuarantineFilter } from './quarantine.store.js';

/** Who does something about usage in quarantine, and why. */
export interface StepBy {
  readonly actor: string;
  readonly note: string;
}

export const findQuarantined = (pool: Pool, filter: QuarantineFilter): Promise<QuarantinedUsage[]> => listQuarantined(pool, filter);

/** Keeps corrected bytes beside those that came. Throws `quarantine_unfit` where they are no rows of this request. */
export const repairQuarantined = (pool: Pool, key: QuarantineKey, raw: string, by: StepBy): Promise<void> =>
  inTransaction(pool, async (db) => {
    await openCase(db, key);
    if (replayKindOf(key.reason) !== 'settlement') throw unfit('only what could not be settled has bytes to repair');
    parseRows(raw, key);
    await insertStep(db, key, { step: 'repaired', raw, result: null, ...by });
  });

/** Ends a case without an effect on money. */
export const discardQuarantined = (pool: Pool, key: QuarantineKey, by: StepBy): Promise<void> =>
  inTransaction(pool, async (db) => {
    await openCase(db, key);
    await insertStep(db, key, { step: 'discarded', raw: null, result: null, ...by });
  });

/**
 * Does what the gateway or the rater could not: once, in one transaction with the step that records it. Answers what came of it.
 * Throws `quarantine_not_found`, `quarantine_ended`, `quarantine_unfit`.
 */
export const replayQuarantined = (pool: Pool, key: QuarantineKey, by: StepBy): Promise<object> =>
  inTransaction(pool, async (db) => {
    const usage = await openCase(db, key);
    const kind = replayKindOf(key.reason);
    if (kind === 'none') throw unfit('there is nothing to replay: it was billed by estimate; discard it');
    const result = kind === 'settlement' ? await replaySettlement(db, usage) : await replayRating(db, key, by.note);
    await insertStep(db, key, { step: 'replayed', raw: null, result, ...by });
    return result;
  });

const openCase = async (db: Db, key: QuarantineKey): Promise<QuarantinedUsage> => {
  const usage = await lockQuarantined(db, key);
  if (!usage) throw new AppError({ code: 'quarantine_not_found', kind: 'not_found', publicMessage: 'There is no such usage in quarantine.' });
  if (usage.ended) throw new AppError({ code: 'quarantine_ended', kind: 'conflict', publicMessage: `It was ${usage.ended} already.` });
  return usage;
};

const unfit = (why: string, cause?: unknown): AppError => new AppError({ code: 'quarantine_unfit', kind: 'conflict', publicMessage: `It cannot be done: ${why}.`, cause });

const parseRows = (raw: string, key: QuarantineKey): QuarantinedRow[] => {
  try {
    return parseQuarantinedRows(raw, key);
  } catch (error) {
    throw unfit(error instanceof z.ZodError ? z.prettifyError(error) : String((error as Error).message), error);
  }
};

const rate = async (db: Db, counts: TokenCounts, priceVersionId: string): Promise<Money> => {
  const price = await loadPriceVersion(db, priceVersionId);
  if (!price) throw unfit(`there is no price version ${priceVersionId}`);
  try {
    return rateUsage(counts, price.rates).total;
  } catch (error) {
    throw unfit(`its price version ${priceVersionId} does not rate its counts: ${(error as Error).message}`, error);
  }
};

/**
 * Settles the rows as a gateway does, in a session that begins and ends here: leased from what the grants have now, settled, and the
 * leases closed. What the grants cannot pay of the charge is our loss, as what exceeds a hold is.
 */
const replaySettlement = async (db: Db, usage: QuarantinedUsage): Promise<object> => {
  const rows = parseRows(usage.raw, usage);
  const sessionId = randomUUID();
  await startSession(db, sessionId, hostname(), process.pid);
  const settled: object[] = [];
  let charged = 0n;
  for (const row of rows) {
    const rated = parseMoney(row.rated);
    if ((rated > 0n || row.outcome === 'completed') && rated !== (await rate(db, row.counts, row.price))) throw unfit(`attempt ${row.attempt} is rated ${row.rated}, which its price does not give`);
    if (parseMoney(row.charge) !== minMoney(rated, parseMoney(row.hold))) throw unfit(`attempt ${row.attempt} is charged ${row.charge}, which is not the lesser of what it was rated and what was held`);
    const taken = parseMoney(row.charge) > 0n ? await takeForRow(db, sessionId, mintId(Date.now()), row) : [];
    const paid = taken.reduce((sum, { slice }) => sum + slice, 0n);
    charged += paid;
    const allocations = taken.map(({ leaseId, grantId, slice }) => ({ grant: grantId, lease: leaseId, unit: row.unit, amount: formatMoney(slice) }));
    const short = paid < parseMoney(row.charge);
    settled.push({ ...row, charge: formatMoney(paid), hold: short ? formatMoney(paid) : row.hold, allocations, opened: false });
  }
  try {
    const written = await settleRows(db, sessionId, settled);
    if (written < rows.length) throw unfit('usage of this request is there already');
  } catch (error) {
    const sqlState = sqlStateOf(error);
    if (sqlState === 'KT002') throw unfit('usage of this request is there already, with other contents; discard it', error);
    if (sqlState && /^(21|22|23|54)/.test(sqlState)) throw unfit(`the database refuses it: ${(error as Error).message}`, error);
    throw error;
  }
  await endSession(db, sessionId);
  return { rows: rows.length, charged: formatMoney(charged) };
};

const replayRating = async (db: Db, key: QuarantineKey, note: string): Promise<object> => {
  const usage = await findUsage(db, key);
  if (!usage) throw unfit('its usage row is gone');
  const rated = await rate(db, usage.counts, usage.priceVersionId);
  const adjustment = await adjustRating(db, key, formatMoney(rated), note);
  return adjustment ?? { rated: '0', charge: '0', receivable: '0' };
};
