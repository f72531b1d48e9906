import { z } from 'zod';
import type { Db } from '@kilotoken/platform';
import { laneRow, modelRow } from './catalogue.js';

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

