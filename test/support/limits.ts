import { randomUUID } from 'node:crypto';
import OpenAI, { APIError } from 'openai';
import type { Cluster } from './cluster.js';
import { seedOrganization, type SeedKey, type SeededTenant } from './cluster-seed.js';
import { withOwner } from './invariants.js';
import { until } from './until.js';
import { instruct, type VendorScript } from './vendor-script.js';

/** Organizations with limits, set by SQL as the owner, and requests by the official SDK that tell what became of them. */

export interface SeedLimit {
  on?: 'organization' | 'project' | 'key' | 'end_user';
  measure: 'requests' | 'input_tokens' | 'output_tokens' | 'tokens' | 'concurrency' | 'money';
  amount: string;
  /** Milliseconds of a rolling window, or a calendar window; none for concurrency. */
  per?: number | 'day' | 'week' | 'month';
  soft?: boolean;
}

export type Buyer = Omit<SeededTenant, 'priceVersionIds'>;

export const seedBuyer = (cluster: Cluster, keys: SeedKey[] = [{}]): Promise<Buyer> =>
  withOwner(cluster.ownerUrl, async (owner) => {
    const { rows } = await owner.query<{ id: string }>('SELECT id FROM price_book');
    return seedOrganization(owner, rows[0]!.id, { grants: ['100'], keys });
  });

export const seedLimit = async (cluster: Cluster, buyer: Buyer, { on = 'organization', measure, amount, per, soft = false }: SeedLimit): Promise<string> => {
  const id = randomUUID();
  const subjectId = on === 'project' ? buyer.projectId : on === 'key' ? buyer.keys[0]!.id : buyer.organizationId;
  const kind = per === undefined ? 'none' : typeof per === 'number' ? 'rolling' : per;
  await cluster.sql('INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [
    buyer.organizationId, id, on, subjectId, measure, measure === 'money' ? 'USD' : 'count', kind, typeof per === 'number' ? per : 0, amount, soft ? 'soft' : 'hard',
  ]);
  return id;
};

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly error: APIError | null;
  readonly usage: { prompt_tokens: number; completion_tokens: number; kilotoken: { charges: { amount: string }[] } } | null;
}

export interface Ask {
  gateway?: number;
  key?: number;
  user?: string;
  maxTokens?: number | null;
  script?: VendorScript;
}

/** Where a gateway says that it knows nothing, because its machine or its database stood still, it is asked again. */
export const askAs = (cluster: Cluster, buyer: Buyer) => {
  const ask = askOnceAs(cluster, buyer);
  return (asked: Ask = {}): Promise<Asked> =>
    until('the gateway knows', async () => {
      const answer = await ask(asked);
      return answer.error?.code !== 'service_unavailable' && answer;
    });
};

export const askOnceAs = (cluster: Cluster, buyer: Buyer) => async ({ gateway = 0, key = 0, user, maxTokens = 5, script = { outputTokens: 5 } }: Ask = {}): Promise<Asked> => {
  const openai = new OpenAI({ baseURL: cluster.gatewayUrls[gateway]!, apiKey: buyer.keys[key]!.key, maxRetries: 0 });
  try {
    const { data, response } = await openai.chat.completions
      .create({ model: 'mock', messages: [{ role: 'user', content: instruct(script) }], ...(maxTokens === null ? {} : { max_tokens: maxTokens }), ...(user === undefined ? {} : { user }) })
      .withResponse();
    return { status: response.status, headers: response.headers, error: null, usage: data.usage as unknown as Asked['usage'] };
  } catch (error) {
    if (!(error instanceof APIError) || error.status === undefined) throw error;
    return { status: error.status, headers: error.headers as Headers, error, usage: null };
  }
};

export const countOf = (answers: readonly Asked[], status: number): number => answers.filter((answer) => answer.status === status).length;
