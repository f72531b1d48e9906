import { randomUUID } from 'node:crypto';
import type { TokenCounts } from '@kilotoken/contracts';
import { formatMoney, minMoney, moneyRounding, type Money } from '@kilotoken/money';
import { AppError, changeThrough, mintId, sqlStateOf, type ControlPool, type Db } from '@kilotoken/platform';
import { loadBurnTable, loadPriceVersion } from '@kilotoken/pricing';
import { chargeFields, portionsOf, portionsOfRow, totalIn, type Allocation, type UnitPortion, type UnitTerms } from '@kilotoken/usage';
import type { Pool } from 'pg';
import { z } from 'zod';
import { parseQuarantinedRows, replayKindOf, type QuarantineKey, type QuarantinedRow, type QuarantinedUsage } from './quarantine.js';
import { adjustRating, findUsage, insertStep, listQuarantined, lockQuarantined, settleRows, takeForRow, type Adjustment, type QuarantineFilter, type Replay } from './quarantine.store.js';

/** The actor and note of a step about usage in quarantine. */
export interface StepBy {
  readonly actor: string;
  readonly note: string;
}

export const findQuarantined = (pool: Pool, filter: QuarantineFilter): Promise<QuarantinedUsage[]> => listQuarantined(pool, filter);

/** Keeps corrected bytes beside those that came. Throws `quarantine_unfit` where they are no rows of this request. */
export const repairQuarantined = (pool: ControlPool, key: QuarantineKey, raw: string, by: StepBy): Promise<void> =>
  changeThrough(pool, key.organizationId, async (db) => {
    await openCase(db, key);
    if (replayKindOf(key.reason) !== 'settlement') throw unfit('only what could not be settled has bytes to repair');
    parseRows(raw, key);
    await insertStep(db, key, { step: 'repaired', raw, result: null, ...by });
  });

/** Ends a case without an effect on money. */
export const discardQuarantined = (pool: ControlPool, key: QuarantineKey, by: StepBy): Promise<void> =>
  changeThrough(pool, key.organizationId, async (db) => {
    await openCase(db, key);
    await insertStep(db, key, { step: 'discarded', raw: null, result: null, ...by });
  });

/**
 * Does what the gateway or the rater could not: once, in one transaction with the step that records it. Answers what came of it.
 * Throws `quarantine_not_found`, `quarantine_ended`, `quarantine_unfit`.
 */
export const replayQuarantined = (pool: ControlPool, key: QuarantineKey, by: StepBy): Promise<object> =>
  changeThrough(pool, key.organizationId, async (db) => {
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

/** How the units of a row burn, by what it is pinned to. */
const loadTerms = async (db: Db, unit: string, priceVersionId: string, portions: readonly UnitPortion[]): Promise<(UnitPortion & UnitTerms)[]> => {
  const price = await loadPriceVersion(db, priceVersionId);
  if (!price) throw unfit(`there is no price version ${priceVersionId}`);
  const terms: (UnitPortion & UnitTerms)[] = [];
  for (const portion of portions) {
    const table = portion.burnTableId === null ? null : await loadBurnTable(db, portion.burnTableId);
    if (portion.unit !== (table?.unit ?? unit)) throw unfit(`nothing that it is pinned to says how ${portion.unit} burns`);
    terms.push({ ...portion, rates: table?.rates ?? price.rates, rounding: table?.rounding ?? moneyRounding });
  }
  return terms;
};

const portionsAgain = (counts: TokenCounts, held: readonly (UnitPortion & UnitTerms)[]): UnitPortion[] => {
  try {
    return portionsOf(counts, held);
  } catch (error) {
    throw unfit(`what it is pinned to does not rate its counts: ${(error as Error).message}`, error);
  }
};

const describePortions = (portions: readonly UnitPortion[]): string => portions.map(({ unit, rated, charge }) => `${formatMoney(charge)} ${unit} of ${formatMoney(rated)}`).join(', ');

/** A row that was charged says what its rates and its holds give. */
const assertProven = (row: QuarantinedRow, stored: readonly UnitPortion[], proven: readonly UnitPortion[]): void => {
  const agrees = stored.every(({ rated, charge }, index) => rated === proven[index]!.rated && charge === proven[index]!.charge);
  if (!agrees) throw unfit(`attempt ${row.attempt} is charged ${describePortions(stored)}, its rates and holds give ${describePortions(proven)}`);
};

/**
 * Settles the rows as a gateway does, in a session that begins and ends here: leased from what the grants have now, settled, and the
 * leases closed. Where the grants of a unit have less than what was held of it, the next unit pays the rest; what the last one cannot
 * pay is our loss, as what exceeds a hold is.
 */
const replaySettlement = async (db: Db, usage: QuarantinedUsage): Promise<object> => {
  const rows = parseRows(usage.raw, usage);
  const replay: Replay = { key: usage, sessionId: randomUUID() };
  const settled: object[] = [];
  const charged = new Map<string, Money>();
  for (const row of rows) {
    const stored = portionsOfRow(row);
    const held = await loadTerms(db, row.unit, row.price, stored);
    const wasCharged = row.outcome === 'completed' || stored.some(({ rated }) => rated > 0n);
    if (wasCharged) assertProven(row, stored, portionsAgain(row.counts, held));
    else if (stored.some(({ charge }) => charge > 0n)) throw unfit(`attempt ${row.attempt} is charged and was not rated`);
    const paid = wasCharged ? await payPortions(db, replay, row, held) : { portions: stored, allocations: [] };
    for (const { unit, charge } of paid.portions) charged.set(unit, (charged.get(unit) ?? 0n) + charge);
    settled.push({ ...row, ...chargeFields({ portions: paid.portions }, row.unit), allocations: paid.allocations, opened: false });
  }
  try {
    const written = await settleRows(db, replay, settled);
    if (written < rows.length) throw unfit('usage of this request is there already');
  } catch (error) {
    const sqlState = sqlStateOf(error);
    if (sqlState === 'KT002') throw unfit('usage of this request is there already, with other contents; discard it', error);
    if (sqlState && /^(21|22|23|54)/.test(sqlState)) throw unfit(`the database refuses it: ${(error as Error).message}`, error);
    throw error;
  }
  const amounts = Object.fromEntries([...charged].map(([unit, amount]) => [unit, formatMoney(amount)]));
  return charged.size > 1 ? { rows: rows.length, charged: amounts } : { rows: rows.length, charged: Object.values(amounts)[0] };
};

/** Takes each portion's charge from the grants of its unit. A portion whose grants have less is held at that, and all are rated again. */
const payPortions = async (db: Db, replay: Replay, row: QuarantinedRow, given: readonly (UnitPortion & UnitTerms)[]): Promise<{ portions: UnitPortion[]; allocations: Allocation[] }> => {
  const held = [...given];
  const allocations: Allocation[] = [];
  for (const [index, terms] of given.entries()) {
    const due = portionsAgain(row.counts, held)[index]!.charge;
    if (due === 0n) continue;
    const taken = await takeForRow(db, replay, mintId(Date.now()), row, terms.unit, due);
    const paid = taken.reduce((sum, { slice }) => sum + slice, 0n);
    if (paid < due) held[index] = { ...terms, hold: paid };
    let left = portionsAgain(row.counts, held)[index]!.charge;
    for (const { leaseId, grantId, slice } of taken) {
      const amount = minMoney(slice, left);
      if (amount > 0n) allocations.push({ grant: grantId, lease: leaseId, unit: terms.unit, amount: formatMoney(amount) });
      left -= amount;
    }
  }
  return { portions: portionsAgain(row.counts, held), allocations };
};

const replayRating = async (db: Db, key: QuarantineKey, note: string): Promise<object> => {
  const usage = await findUsage(db, key);
  if (!usage) throw unfit('its usage row is gone');
  const proven = portionsAgain(usage.counts, await loadTerms(db, usage.unit, usage.price, portionsOfRow(usage)));
  const adjusted: Record<string, Adjustment> = {};
  for (const unit of new Set(proven.map((portion) => portion.unit))) {
    const adjustment = await adjustRating(db, key, unit, formatMoney(totalIn(proven, unit).rated), note);
    if (adjustment) adjusted[unit] = adjustment;
  }
  const adjustments = Object.values(adjusted);
  if (adjustments.length > 1) return adjusted;
  return adjustments[0] ?? { rated: '0', charge: '0', receivable: '0' };
};
