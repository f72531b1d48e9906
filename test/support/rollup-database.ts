import { randomUUID } from 'node:crypto';
import { addRollups } from '../../libs/rollups/src/rollup.store.js';
import { MoneyDatabase } from './money-database.js';

/** A row of usage as a test wants it; whatever is left out is like everybody's. */
export interface PutUsage {
  id?: string;
  attempt?: number;
  organizationId?: string;
  settledAt: Date;
  admittedAt?: Date;
  firstTokenAt?: Date | null;
  finishedAt?: Date;
  apiKeyId?: string;
  model?: string;
  laneId?: string | null;
  unit?: string;
  costCurrency?: string;
  charge?: string;
  cost?: string;
  counts?: unknown;
  tags?: unknown;
  outcome?: string;
  status?: number;
}

/** Usage that settled at any moment, rated and rolled up step by step. Rows are put as their owner could; what rates and rolls is the real thing. */
export class RollupDatabase {
  private constructor(readonly money: MoneyDatabase) {}

  static async create(): Promise<RollupDatabase> {
    return new RollupDatabase(await MoneyDatabase.create());
  }

  get organizationId(): string {
    return this.money.tenant.organizationId;
  }

  /** One flush, which waits to be rated. Answers the ids. */
  async put(rows: readonly PutUsage[]): Promise<string[]> {
    const session = randomUUID();
    const whole = rows.map((row) => this.whole(row, session));
    await this.money.sql(
      `WITH stored AS (INSERT INTO usage SELECT * FROM json_populate_recordset(null::usage, $1) RETURNING organization_id, id, attempt)
       INSERT INTO unrated_batch (session_id, flush, shard, organization_ids, usage_ids, attempts)
       SELECT $2, 1, 0, array_agg(organization_id), array_agg(id), array_agg(attempt) FROM stored`,
      [JSON.stringify(whole), session],
    );
    return whole.map(({ id }) => id);
  }

  /** As a rating does, as far as rollups see it: the flush leaves its queue in a transaction that commits. */
  async rate(): Promise<void> {
    await this.money.sql('DELETE FROM unrated_batch');
  }

  async rollUp(): Promise<void> {
    for (let batches = 1; batches > 0; ) ({ batches } = await addRollups(this.money.app, 50));
  }

  /** Nothing of before: usage, queues, rollups, archives. */
  async clear(): Promise<void> {
    await this.money.sql('TRUNCATE usage, usage_seal, unrated_batch, unrolled_batch, usage_rollup, rollup_tag, usage_archive_total, usage_archive');
    await this.money.sql("UPDATE rollup_horizon SET minutes_from = 'epoch'");
  }

  private whole({ settledAt, ...row }: PutUsage, session: string) {
    const { projectId, keys, priceVersionIds } = this.money.tenant;
    const admittedAt = row.admittedAt ?? settledAt;
    return {
      organization_id: row.organizationId ?? this.organizationId, id: row.id ?? this.money.mintId(), attempt: row.attempt ?? 0, session_id: session, flush: 1, shard: 0,
      account_root_id: row.organizationId ?? this.organizationId, project_id: projectId, api_key_id: row.apiKeyId ?? keys[0]!.id, tags: row.tags ?? null,
      operation: 'chat.completions', mode: 'realtime', stream: false, model: row.model ?? 'mock', tier_asked: 'auto', tier_served: 'standard', outcome: row.outcome ?? 'completed',
      status: row.status ?? 200, lane_id: row.laneId ?? null, counts: row.counts ?? { input: 1 }, estimated: false, context_tokens: 1, max_tokens: 1,
      price_version_id: priceVersionIds['mock'], unit: row.unit ?? 'USD', hold: row.charge ?? '1', rated: row.charge ?? '1', charge: row.charge ?? '1', allocations: [],
      cost: row.cost ?? '0', cost_currency: row.costCurrency ?? 'USD', clock_offset_ms: 0, admitted_at: admittedAt, first_token_at: row.firstTokenAt ?? null,
      finished_at: row.finishedAt ?? admittedAt, settled_at: settledAt,
    };
  }
}
