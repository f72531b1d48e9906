import { z } from 'zod';
import type { Db } from '@kilotoken/platform';
import type { PrismaDb } from '@kilotoken/platform/prisma';
import { formatRates, type PriceVersion, type SalePrice } from './price.js';
import { groupRates, pastPricesMs, rateRow, type RateRow } from './price-version.js';

/** Reads go through `pg` with the application's rights, since gateways read on their polls; publishing goes through Prisma with the owner's. */

const rateColumns = `v.id, v.price_book_id, v.model_id, v.currency, (extract(epoch FROM v.effective_at) * 1000)::float8 AS effective_at_ms,
  r.token_class, r.amount::text AS amount, r.per::text AS per`;

/** The rates of what is, will be or lately was in effect for the models that are for sale; see `Catalogue.prices`. */
export const listCurrentRates = async (db: Db): Promise<RateRow[]> => {
  const { rows } = await db.query(
    `WITH past AS (
       SELECT price_book_id, model_id, max(effective_at) AS effective_at FROM price_version
       WHERE effective_at <= kt_now() - make_interval(secs => $1::float8 / 1000) GROUP BY price_book_id, model_id)
     SELECT ${rateColumns}
     FROM price_version v
     JOIN model m ON m.id = v.model_id AND m.retired_at IS NULL
     JOIN rate r ON r.price_version_id = v.id
     LEFT JOIN past p ON p.price_book_id = v.price_book_id AND p.model_id = v.model_id
     WHERE p.effective_at IS NULL OR v.effective_at >= p.effective_at
     ORDER BY v.price_book_id, v.model_id, v.effective_at DESC, r.token_class`,
    [pastPricesMs],
  );
  return z.array(rateRow).parse(rows);
};

/** Any version that was ever published: what an old usage row was priced at. */
export const loadPriceVersion = async (db: Db, id: string): Promise<PriceVersion | null> => (await loadPriceVersions(db, [id]))[0] ?? null;

/** Those of the versions that were ever published. */
export const loadPriceVersions = async (db: Db, ids: readonly string[]): Promise<PriceVersion[]> => {
  const { rows } = await db.query(
    `SELECT ${rateColumns} FROM price_version v JOIN rate r ON r.price_version_id = v.id WHERE v.id = ANY ($1::uuid[]) ORDER BY v.id, r.token_class`,
    [ids],
  );
  return groupRates(z.array(rateRow).parse(rows)).map(([, version]) => version);
};

/** When the latest price of a model in a book takes effect, or took. */
export const findLatestEffectiveAt = async (db: PrismaDb, priceBookId: string, modelId: string): Promise<Date | null> => {
  const latest = await db.priceVersion.findFirst({ where: { priceBookId, modelId }, orderBy: { effectiveAt: 'desc' }, select: { effectiveAt: true } });
  return latest?.effectiveAt ?? null;
};

export interface NewPriceVersion {
  readonly id: string;
  readonly priceBookId: string;
  readonly modelId: string;
  readonly effectiveAt: Date;
  readonly sale: SalePrice;
}

export const insertPriceVersion = async (db: PrismaDb, { sale, ...version }: NewPriceVersion): Promise<void> => {
  await db.priceVersion.create({ data: { ...version, currency: sale.currency } });
  const rates = Object.entries(formatRates(sale.rates)).map(([tokenClass, amount]) => ({ priceVersionId: version.id, tokenClass, amount, per: sale.per }));
  await db.rate.createMany({ data: rates });
};
