import { parseMoney } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';
import type { Limit } from '@kilotoken/quota';
import type { Caller } from '../request/caller.js';

interface KeyRow {
  organization_id: string;
  account_root_id: string;
  price_book_id: string;
  organization_status: 'active' | 'suspended';
  project_id: string;
  api_key_id: string;
  allowed_models: string[] | null;
  expires_at: Date | null;
  revoked_at: Date | null;
  limits: (Omit<Limit, 'amount'> & { amount: string })[] | null;
  packs: Caller['packs'];
  unsupported_parameters: Caller['unsupportedParameters'];
  max_tokens_above: Caller['maxTokensAbove'];
}

/** The key whose SHA-256 this is, whatever its state; null when nobody has it. */
export const findCaller = async (db: Db, hash: Buffer): Promise<Caller | null> => {
  const { rows } = await db.query<KeyRow>({ name: 'key_resolve_caller', text: 'SELECT * FROM key_resolve_caller($1)', values: [hash] });
  const [row] = rows;
  if (!row) return null;
  return {
    organizationId: row.organization_id,
    accountRootId: row.account_root_id,
    priceBookId: row.price_book_id,
    organizationStatus: row.organization_status,
    projectId: row.project_id,
    apiKeyId: row.api_key_id,
    allowedModels: row.allowed_models && new Set(row.allowed_models),
    expiresAtMs: row.expires_at?.getTime() ?? null,
    revokedAtMs: row.revoked_at?.getTime() ?? null,
    limits: row.limits && row.limits.map((limit) => ({ ...limit, amount: parseMoney(limit.amount) })),
    packs: row.packs,
    unsupportedParameters: row.unsupported_parameters,
    maxTokensAbove: row.max_tokens_above,
  };
};
