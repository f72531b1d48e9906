import { randomBytes } from 'node:crypto';
import { mintApiKey } from '@kilotoken/identity';
import { mintId } from '@kilotoken/platform';
import type pg from 'pg';
import { benchModel } from './exchange.js';

/** Fills the bench's database by SQL: a priced model on the vendor's lane, and organizations that buy it. */
const rates = { input: '0.15', output: '0.60' };
const cost = { input: '0.10', output: '0.40' };
const ratePer = 1_000_000;
const grantAmount = '1000000';
const limitAmount = '1000000000000';
const organizationsPerStatement = 5_000;

const newId = (): string => mintId(Date.now());

/** Prices that began so many days ago. Answers the price book's id. */
export const seedCatalogue = async (owner: pg.Client, vendorUrl: string, models: readonly string[] = [benchModel], daysAgo = 1): Promise<string> => {
  const priceBookId = newId();
  await owner.query("INSERT INTO price_book (id, name) VALUES ($1, 'bench')", [priceBookId]);
  for (const model of models) {
    const priceVersionId = newId();
    await owner.query("INSERT INTO model (id, context_window, max_output_tokens, origin) VALUES ($1, 128000, 8192, 'seed')", [model]);
    await owner.query(
      `INSERT INTO lane (id, model_id, position, kind, base_url, upstream_model, cost_currency, cost_per, cost_rates, origin)
       VALUES ($1, $2, 0, 'openai', $3, $2, 'USD', $4, $5, 'seed')`,
      [newId(), model, vendorUrl, ratePer, JSON.stringify(cost)],
    );
    await owner.query("INSERT INTO price_version (id, price_book_id, model_id, currency, effective_at) VALUES ($1, $2, $3, 'USD', kt_now() - make_interval(days => $4))", [priceVersionId, priceBookId, model, daysAgo]);
    for (const [tokenClass, amount] of Object.entries(rates)) {
      await owner.query('INSERT INTO rate (price_version_id, token_class, amount, per) VALUES ($1, $2, $3, $4)', [priceVersionId, tokenClass, amount, ratePer]);
    }
  }
  return priceBookId;
};

/** Puts every stored organization under a limit of each measure and each kind of window, far above its use. */
export const seedLimits = async (owner: pg.Client): Promise<void> => {
  await owner.query(
    `INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode)
     SELECT o.id, gen_random_uuid(), 'organization', o.id, l.*, 'hard' FROM organization o CROSS JOIN (VALUES
       ('requests', 'count', 'rolling', 60000, $1::numeric), ('input_tokens', 'count', 'rolling', 60000, $1), ('output_tokens', 'count', 'rolling', 60000, $1),
       ('concurrency', 'count', 'none', 0, $1), ('tokens', 'count', 'day', 0, $1), ('money', 'USD', 'month', 0, $1)) AS l`,
    [limitAmount],
  );
};

/** Stores organizations with a project, a key and a large grant each; answers their keys. */
export const seedOrganizations = async (owner: pg.Client, priceBookId: string, count: number): Promise<string[]> => {
  const keys: string[] = [];
  while (keys.length < count) {
    const minted = Array.from({ length: Math.min(organizationsPerStatement, count - keys.length) }, () => ({ ...mintApiKey(randomBytes), id: newId(), keyId: newId(), projectId: newId(), grantId: newId() }));
    await insertOrganizations(owner, priceBookId, minted);
    keys.push(...minted.map(({ key }) => key));
  }
  return keys;
};

interface Minted {
  readonly hash: Buffer;
  readonly prefix: string;
  readonly id: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly grantId: string;
}

const insertOrganizations = async (owner: pg.Client, priceBookId: string, minted: readonly Minted[]): Promise<void> => {
  const ids = minted.map(({ id }) => id);
  const projectIds = minted.map(({ projectId }) => projectId);
  await owner.query('BEGIN');
  // The entries of the audit log are found anew for each organization of the transaction, among the changes of all.
  await owner.query('ALTER TABLE control_change DISABLE TRIGGER control_change_audited');
  await owner.query(
    `INSERT INTO organization (id, name, slug, account_root_id, price_book_id)
     SELECT o.id, 'bench', 'bench-' || o.id, o.id, $2 FROM unnest($1::uuid[]) AS o(id)`,
    [ids, priceBookId],
  );
  await owner.query("INSERT INTO project (organization_id, id, name) SELECT o, p, 'default' FROM unnest($1::uuid[], $2::uuid[]) AS r(o, p)", [ids, projectIds]);
  await owner.query(
    `INSERT INTO api_key (organization_id, id, project_id, name, hash, prefix)
     SELECT o, k, p, 'bench', h, x FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::text[]) AS r(o, k, p, h, x)`,
    [ids, minted.map(({ keyId }) => keyId), projectIds, minted.map(({ hash }) => hash), minted.map(({ prefix }) => prefix)],
  );
  await owner.query(
    "SELECT grant_issue_against(o, g, 'USD', $3, 'prepaid', 'bench', NULL, NULL, NULL, NULL, NULL) FROM unnest($1::uuid[], $2::uuid[]) AS r(o, g)",
    [ids, minted.map(({ grantId }) => grantId), grantAmount],
  );
  await owner.query('ALTER TABLE control_change ENABLE TRIGGER control_change_audited');
  await owner.query('COMMIT');
};
