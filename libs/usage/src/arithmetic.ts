/**
 * The arithmetic of a charge, line by line, from a stored row and the versions that it is pinned to. Pure: the gateway's public face and the
 * api show the same lines.
 */
import { moneyRounding } from '@kilotoken/money';
import { ratePortions, type BurnTable, type ChargeLine, type PriceVersion } from '@kilotoken/pricing';
import { portionsOfRow, type UsageRow } from './usage-row.js';

/** The published versions that the last attempt, which carries the charge, is pinned to. */
export interface Pinned {
  readonly price: PriceVersion;
  readonly burnTables: ReadonlyMap<string, BurnTable>;
}

/** A line with the unit that pays it. */
export interface PaidLine extends ChargeLine {
  readonly unit: string;
}

type ChargedRow = Pick<UsageRow, 'counts' | 'unit' | 'hold' | 'rated' | 'charge' | 'portions'>;

/** Every line in burn order. Throws where the row is not of these versions. */
export const paidLinesOf = (row: ChargedRow, { price, burnTables }: Pinned): PaidLine[] => {
  const portions = portionsOfRow(row);
  const payers = portions.map(({ unit, hold, burnTableId }) => ({ unit, hold, ...(burnTableId === null ? { rates: price.rates, rounding: moneyRounding } : burnTables.get(burnTableId)!) }));
  return ratePortions(row.counts, payers).flatMap(({ lines }, index) => lines.map((line) => ({ ...line, unit: portions[index]!.unit })));
};

/** The burn tables that a row is pinned to. */
export const burnTableIdsOf = (row: ChargedRow): string[] => portionsOfRow(row).flatMap(({ burnTableId }) => (burnTableId === null ? [] : [burnTableId]));
