import { z } from 'zod';
import type { PriceVersion } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';
import { groupRates, laneRow, modelRow, pastPricesMs, rateRow, type RateRow } from './catalogue.js';

/** Reads through `pg` with the application's rights, not through Prisma: gateways read it on their polls. */

export const readConfigVersion = async (db: Db): Promise<bigint> => {
  const { rows } = await db.query<{ version: string }>('SELECT version::text AS version FROM config_version');
  return BigInt(rows[0]!.version);
};

export const listActiveModels = async (db: Db): Promise<z.infer<typeof modelRow>[]> => {
  const { rows } = await db.query(
    `SELECT id, context_window, max_output_tokens, image_tokens, unsupported_parameters, max_tokens_above, created_at
     FROM model WHERE retired_at IS NULL ORDER BY id`,
  );
  return z.array(modelRow).parse(rows);
};

export const listActiveLanes = async (db: Db): Promise<z.infer<typeof laneRow>[]> => {
  const { rows } = await db.query(
    `SELECT l.id, l.model_id, l.position, l.kind, l.base_url, l.upstream_model, l.key_env, l.cost_currency, l.cost_per::text AS cost_per,
       l.cost_rates, l.capabilities, l.token_classes, l.tokenizer, l.timeouts, l.drain, l.lacks
     FROM lane l JOIN model m ON m.id = l.model_id
     WHERE l.retired_at IS NULL AND m.retired_at IS NULL
     ORDER BY l.model_id, l.position, l.id`,
  );
  return z.array(laneRow).parse(rows);
};

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
export const loadPriceVersion = async (db: Db, id: string): Promise<PriceVersion | null> => {
  const { rows } = await db.query(
    `SELECT ${rateColumns} FROM price_version v JOIN rate r ON r.price_version_id = v.id WHERE v.id = $1 ORDER BY r.token_class`,
    [id],
  );
  return groupRates(z.array(rateRow).parse(rows))[0]?.[1] ?? null;
};
