import { createPool, mintId } from '@kilotoken/platform';
import type pg from 'pg';
import { connect, startBenchDatabase } from './database.js';
import type { Cleanup } from './run.js';
import { seedCatalogue, seedOrganizations } from './seed.js';

/** A private Postgres with unrated usage rows, as gateways' flushes leave them. */
export interface RatingDatabase {
  readonly owner: pg.Pool;
  /** The applications' login. */
  readonly app: pg.Pool;
}

const rowsPerFlush = 64;
const rowsPerStatement = 64_000;
/** Storing is most of a run's time. */
const statementsAtOnce = 2;
const statementMsMax = 30 * 60_000;

export const startRatingDatabase = async (organizations: number, cleanup: Cleanup): Promise<RatingDatabase> => {
  const { ownerUrl, appUrl } = await startBenchDatabase({}, cleanup);
  const openPool = (connectionString: string, max: number): pg.Pool => {
    const pool = createPool({ connectionString, max, applicationName: 'bench', statementTimeoutMs: statementMsMax });
    cleanup.push(() => pool.end());
    return pool;
  };
  const client = await connect(ownerUrl);
  try {
    await seedOrganizations(client, await seedCatalogue(client, 'http://127.0.0.1:1/v1'), organizations);
  } finally {
    await client.end();
  }
  const owner = openPool(ownerUrl, 3);
  const app = openPool(appUrl, 2);
  // Keeps every stored flush, so that all of them can be queued again.
  await owner.query('CREATE TABLE bench_batch (LIKE unrated_batch); CREATE TABLE bench_posting (LIKE ledger_posting INCLUDING DEFAULTS INCLUDING INDEXES)');
  return { owner, app };
};

/**
 * Stores usage up to a number of rows: requests of all organizations in random order, in flushes of 64, each flush divided by shard
 * as in `usage_insert`. Then queues all of it for the rater.
 */
export const storeUsage = async (database: RatingDatabase, from: number, upTo: number): Promise<void> => {
  let begin = from;
  const lane = async (): Promise<void> => {
    for (let first = begin; first < upTo; first = begin) {
      begin = Math.min(first + rowsPerStatement, upTo);
      await storeSession(database, first, begin);
    }
  };
  await Promise.all(Array.from({ length: statementsAtOnce }, lane));
  await queueAll(database);
};

/** Usage of one gateway's session. Ids of sessions ascend with time, as those of gateways do. */
const storeSession = async ({ owner }: RatingDatabase, from: number, upTo: number): Promise<void> => {
  await owner.query(
    `WITH buyer AS MATERIALIZED (
       SELECT array_agg(organization_id ORDER BY organization_id) AS organizations, array_agg(project_id ORDER BY organization_id) AS projects,
         array_agg(id ORDER BY organization_id) AS keys FROM api_key),
     request AS MATERIALIZED (
       SELECT (n - $1) / ${rowsPerFlush} AS flush, uuidv7() AS id, 1 + floor(random() * cardinality(b.organizations))::integer AS buyer,
         20 + floor(random() * 2000)::integer AS input, 1 + floor(random() * 500)::integer AS output
       FROM buyer b, generate_series($1::bigint, $2::bigint - 1) n),
     priced AS (
       SELECT r.*, b.organizations[r.buyer] AS organization_id, b.projects[r.buyer] AS project_id, b.keys[r.buyer] AS api_key_id,
         (r.input * 0.15 + r.output * 0.60) / 1000000 AS rated, (r.input * 0.10 + r.output * 0.40) / 1000000 AS cost FROM request r, buyer b),
     stored AS (
       INSERT INTO usage (organization_id, id, attempt, session_id, flush, shard, account_root_id, project_id, api_key_id, operation, mode, stream, model,
         tier_asked, tier_served, outcome, status, counts, estimated, context_tokens, max_tokens, price_version_id, unit, hold, rated, charge, allocations,
         cost, cost_currency, clock_offset_ms, admitted_at, finished_at)
       SELECT p.organization_id, p.id, 0, $3, p.flush, get_byte(uuid_send(p.organization_id), 15) % 16, p.organization_id,
         p.project_id, p.api_key_id, 'chat.completions', 'realtime', false, v.model_id, 'auto', 'standard', 'completed', 200,
         jsonb_build_object('input', p.input, 'output', p.output), false, p.input + p.output, 500, v.id, v.currency, 1, p.rated, p.rated,
         jsonb_build_array(jsonb_build_object('grant', p.organization_id, 'lease', p.organization_id, 'unit', v.currency, 'amount', p.rated::text)),
         p.cost, 'USD', 0, kt_now(), kt_now()
       FROM priced p, price_version v ORDER BY p.flush
       RETURNING session_id, flush, shard, organization_id, id, attempt)
     INSERT INTO bench_batch (session_id, flush, shard, organization_ids, usage_ids, attempts, created_at)
     SELECT session_id, flush, shard, array_agg(organization_id), array_agg(id), array_agg(attempt), kt_now() FROM stored
     GROUP BY session_id, flush, shard ORDER BY flush, shard`,
    [from, upTo, mintId(Date.now())],
  );
};

/** Queues all flushes again, for the rater and for the bare loop. */
const queueAll = async ({ owner }: RatingDatabase): Promise<void> => {
  // In the order of storage: rows_before is the position of each flush.
  await owner.query(
    `TRUNCATE rated_flush, unrated_batch, unrolled_batch, bench_posting; DROP TABLE IF EXISTS bench_queue;
     CREATE TABLE bench_queue AS SELECT *, sum(cardinality(usage_ids)) OVER (ORDER BY created_at, flush, shard) - cardinality(usage_ids) AS rows_before FROM bench_batch;
     CREATE INDEX ON bench_queue (rows_before);
     INSERT INTO unrated_batch SELECT session_id, flush, shard, organization_ids, usage_ids, attempts, created_at FROM bench_queue ORDER BY rows_before`,
  );
  await owner.query('VACUUM (ANALYZE) bench_queue');
  // A database that has run for a while has statistics. The checkpoint writes the new rows to disk before the measurement.
  await owner.query('VACUUM (ANALYZE) usage');
  await owner.query('VACUUM (ANALYZE) unrated_batch');
  await owner.query('CHECKPOINT');
};
