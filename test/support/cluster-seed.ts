import { randomBytes, randomUUID } from 'node:crypto';
import { mintApiKey } from '@kilotoken/identity';
import { formatMoney } from '@kilotoken/money';
import type pg from 'pg';

/** Puts a catalogue and a tenant into an empty test database, by SQL as its owner. */

export interface SeedLane {
  baseUrl: string;
  upstreamModel?: string;
  keyEnv?: string;
  capabilities?: string[];
  tokenClasses?: string[];
  timeouts?: { connectMs?: number; firstByteMs?: number; idleMs?: number; answerMs?: number };
  cost?: Record<string, string>;
  drain?: boolean;
  lacks?: string[];
}

export interface SeedModel {
  model: string;
  contextWindow?: number;
  maxOutputTokens?: number;
  imageTokens?: number;
  unsupportedParameters?: 'drop' | 'refuse';
  maxTokensAbove?: 'refuse' | 'clamp';
  per?: number;
  /** Amount by token class. */
  sale?: Record<string, string | null>;
  lanes: SeedLane[];
}

export interface SeedOptions {
  models: SeedModel[];
  /** Amounts of prepaid USD grants, in the order that they burn. */
  grants?: (string | SeedGrant)[];
  keys?: SeedKey[];
  packs?: SeedPack[];
}

/** A pack unit with the weights that every model burns it at. */
export interface SeedPack {
  unit: string;
  weights: Record<string, string | null>;
  decimals?: number;
  rounding?: string;
}

export interface SeedGrant {
  amount: string;
  priority?: number;
  unit?: string;
  models?: string[];
  expiresInMs?: number;
}

export interface SeedKey {
  allowedModels?: string[];
  unsupportedParameters?: 'drop' | 'refuse';
  maxTokensAbove?: 'refuse' | 'clamp';
  expiresInMs?: number;
  revoked?: boolean;
}

export interface SeededTenant {
  organizationId: string;
  accountRootId: string;
  projectId: string;
  keys: { id: string; key: string }[];
  grantIds: string[];
  priceVersionIds: Record<string, string>;
}

const PER_MILLION = 1_000_000;
const SALE = { input: '0.15', output: '0.60' };
const COST = { input: '0.10', output: '0.40' };

/** What tokens cost at the sale price that a model has unless its seed says otherwise: 0.15 and 0.60 USD a million. */
export const defaultSale = (promptTokens: number, completionTokens: number): string =>
  formatMoney(BigInt(promptTokens) * 150_000n + BigInt(completionTokens) * 600_000n);

/** The catalogue, and one organization that buys from it. */
export async function seedTenant(owner: pg.Client, options: SeedOptions): Promise<SeededTenant> {
  const priceBookId = randomUUID();
  await owner.query('INSERT INTO price_book (id, name) VALUES ($1, $2)', [priceBookId, `book ${priceBookId}`]);
  const priceVersionIds: Record<string, string> = {};
  for (const model of options.models) priceVersionIds[model.model] = await seedModel(owner, priceBookId, model);
  for (const pack of options.packs ?? []) await seedPack(owner, pack);
  return { ...(await seedOrganization(owner, priceBookId, options)), priceVersionIds };
}

async function seedPack(owner: pg.Client, { unit, weights, decimals = 12, rounding = 'half_even' }: SeedPack): Promise<void> {
  const burnTableId = randomUUID();
  await owner.query('INSERT INTO pack_unit (unit, decimals, rounding) VALUES ($1, $2, $3)', [unit, decimals, rounding]);
  await owner.query("INSERT INTO burn_table (id, unit, effective_at) VALUES ($1, $2, kt_now() - interval '1 day')", [burnTableId, unit]);
  for (const [tokenClass, amount] of Object.entries(weights)) {
    await owner.query('INSERT INTO burn_weight (burn_table_id, token_class, amount, per) VALUES ($1, $2, $3, 1)', [burnTableId, tokenClass, amount]);
  }
}

async function seedModel(owner: pg.Client, priceBookId: string, seed: SeedModel): Promise<string> {
  const { model, contextWindow = 128_000, maxOutputTokens = 8_192, per = PER_MILLION, sale = SALE, lanes } = seed;
  await owner.query("INSERT INTO model (id, context_window, max_output_tokens, origin) VALUES ($1, $2, $3, 'seed')", [model, contextWindow, maxOutputTokens]);
  const { imageTokens: image_tokens, unsupportedParameters: unsupported_parameters, maxTokensAbove: max_tokens_above } = seed;
  await setColumns(owner, 'model', model, { image_tokens, unsupported_parameters, max_tokens_above });
  for (const [position, lane] of lanes.entries()) {
    const laneId = randomUUID();
    await owner.query(
      `INSERT INTO lane (id, model_id, position, kind, base_url, upstream_model, key_env, cost_currency, cost_per, cost_rates, capabilities, token_classes, timeouts, origin)
       VALUES ($1, $2, $3, 'openai', $4, $5, $6, 'USD', $7, $8, $9, $10, $11, 'seed')`,
      [
        laneId, model, position, lane.baseUrl, lane.upstreamModel ?? model, lane.keyEnv ?? null, PER_MILLION, JSON.stringify(lane.cost ?? COST),
        lane.capabilities ?? [], lane.tokenClasses ?? ['input', 'output'], JSON.stringify(lane.timeouts ?? {}),
      ],
    );
    await setColumns(owner, 'lane', laneId, { drain: lane.drain, lacks: lane.lacks });
  }
  const priceVersionId = randomUUID();
  await owner.query("INSERT INTO price_version (id, price_book_id, model_id, currency, effective_at) VALUES ($1, $2, $3, 'USD', kt_now() - interval '1 day')", [priceVersionId, priceBookId, model]);
  for (const [tokenClass, amount] of Object.entries(sale)) {
    await owner.query('INSERT INTO rate (price_version_id, token_class, amount, per) VALUES ($1, $2, $3, $4)', [priceVersionId, tokenClass, amount, per]);
  }
  return priceVersionId;
}

/** Only what a seed says: a database of the previous release has not all of the columns. */
async function setColumns(owner: pg.Client, table: string, id: string, columns: Record<string, unknown>): Promise<void> {
  for (const [column, value] of Object.entries(columns)) {
    if (value !== undefined) await owner.query(`UPDATE ${table} SET ${column} = $2 WHERE id = $1`, [id, value]);
  }
}

type Organization = Omit<SeededTenant, 'priceVersionIds'>;

export async function seedOrganization(owner: pg.Client, priceBookId: string, { grants = [], keys = [{}] }: Omit<SeedOptions, 'models'>): Promise<Organization> {
  const organizationId = randomUUID();
  await owner.query('INSERT INTO organization (id, name, slug, account_root_id, price_book_id) VALUES ($1, $2, $2, $1, $3)', [organizationId, `org-${organizationId}`, priceBookId]);
  const projectId = randomUUID();
  await owner.query("INSERT INTO project (organization_id, id, name) VALUES ($1, $2, 'default')", [organizationId, projectId]);
  const tenant: Organization = { organizationId, accountRootId: organizationId, projectId, keys: [], grantIds: [] };
  for (const seed of keys) tenant.keys.push(await seedKey(owner, tenant, seed));
  for (const grant of grants) tenant.grantIds.push(await seedGrant(owner, organizationId, grant));
  return tenant;
}

export async function seedKey(owner: pg.Client, { organizationId, projectId }: Pick<Organization, 'organizationId' | 'projectId'>, seed: SeedKey = {}): Promise<{ id: string; key: string }> {
  const { key, hash, prefix } = mintApiKey(randomBytes);
  const id = randomUUID();
  await owner.query(
    `INSERT INTO api_key (organization_id, id, project_id, name, hash, prefix, allowed_models, expires_at, revoked_at)
     VALUES ($1, $2, $3, 'test', $4, $5, $6, kt_now() + make_interval(secs => $7::float8 / 1000), CASE WHEN $8 THEN kt_now() END)`,
    [organizationId, id, projectId, hash, prefix, seed.allowedModels ?? null, seed.expiresInMs ?? null, seed.revoked ?? false],
  );
  await setColumns(owner, 'api_key', id, { unsupported_parameters: seed.unsupportedParameters, max_tokens_above: seed.maxTokensAbove });
  return { id, key };
}

export async function seedGrant(owner: pg.Client, organizationId: string, seed: string | SeedGrant): Promise<string> {
  const { amount, unit = 'USD', models = null, expiresInMs = null, priority = null } = typeof seed === 'string' ? { amount: seed } : seed;
  const { rows } = await owner.query<{ id: string }>(
    "SELECT grant_issue_against($1, uuidv7(), $2, $3, 'prepaid', $4, $7::smallint, $5, NULL, kt_now() + make_interval(secs => $6::float8 / 1000), NULL) AS id",
    [organizationId, unit, amount, randomUUID(), models, expiresInMs, priority],
  );
  return rows[0]!.id;
}
