import { loopbackModelId } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';
import { exact } from '../shapes/exact.js';
import { rowsByKey } from '../shapes/grouping.js';
import type { Model } from './model.type.js';

interface ModelRow {
  readonly id: string;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
  readonly capabilities: string[];
  readonly prices: { class: string; amount: string; currency: string; per: number }[];
}

const toModel = ({ prices, ...row }: ModelRow): Model => ({ ...row, prices: prices.map((price) => ({ ...price, amount: exact(price.amount) })) });

/** `p` names price books; a model is for sale in a book that has a price of it now. Models that the loopback engine may answer come last. */
const listed = `SELECT m.id, m.context_window AS "contextWindow", m.max_output_tokens AS "maxOutputTokens",
    coalesce((SELECT array_agg(DISTINCT c ORDER BY c) FROM lane l CROSS JOIN LATERAL unnest(l.capabilities) c WHERE l.model_id = m.id AND l.retired_at IS NULL), '{}') AS capabilities,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('class', r.token_class, 'amount', r.amount::text, 'currency', v.currency, 'per', r.per) ORDER BY r.token_class), '[]')
      FROM rate r WHERE r.price_version_id = v.id AND r.amount IS NOT NULL) AS prices
  FROM model m CROSS JOIN LATERAL (
    SELECT v.id, v.currency FROM price_version v WHERE v.price_book_id = p.price_book_id AND v.model_id = m.id AND v.effective_at <= kt_now() ORDER BY v.effective_at DESC LIMIT 1) v
  WHERE m.retired_at IS NULL
  ORDER BY EXISTS (SELECT FROM lane l WHERE l.model_id = m.id AND l.retired_at IS NULL AND l.kind = 'worker' AND l.upstream_model = '${loopbackModelId}'), m.id`;

/** The models that each organization can buy, at its prices. */
export const listModelsOf = async (db: Db, organizationIds: readonly string[]): Promise<Model[][]> => {
  const { rows } = await db.query<ModelRow & { organizationId: string }>(
    `SELECT p.id AS "organizationId", m.* FROM organization p CROSS JOIN LATERAL (${listed}) m WHERE p.id = ANY ($1::uuid[])`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId).map((models) => models.map(({ organizationId: _, ...model }) => toModel(model)));
};

/** The models that are for sale, at the prices of the list. */
export const listModels = async (db: Db, priceBook: string): Promise<Model[]> => {
  const { rows } = await db.query<ModelRow>(`SELECT m.* FROM (SELECT id AS price_book_id FROM price_book WHERE name = $1) p CROSS JOIN LATERAL (${listed}) m`, [priceBook]);
  return rows.map(toModel);
};
