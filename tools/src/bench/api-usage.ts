import { mintId } from '@kilotoken/platform';
import type pg from 'pg';

/**
 * Usage of 90 days up to now, as gateways' flushes and raters would have left it: rows in the order of their time, twenty of one key within a minute, rolled up
 * by the function that production uses, paid by the grants of their organizations.
 */
export interface UsagePlan {
  readonly organizationId: string;
  readonly rows: number;
  readonly days: number;
  readonly largeKeys: number;
}

/** Requests of one key that follow one another. */
const burst = 20;
/** Of five bursts one is the large organization's. */
const largeEvery = 5;
const rowsPerStatement = 50_000;
const batchesPerRollup = 40;
const rowsPerBatch = 1_000;
const progressEvery = 200_000;
/** The requests of the large organization that its gateway's lease has paid and not yet returned. */
const leasedBursts = 2;

export const fillUsage = async (pool: pg.Pool, plan: UsagePlan, say: (line: string) => void): Promise<void> => {
  const sessionId = mintId(Date.now());
  await pool.query("INSERT INTO session (id, app, host, pid, release) VALUES ($1, 'gateway', 'bench', 1, 'bench')", [sessionId]);
  await pool.query('INSERT INTO session_heartbeat (session_id) VALUES ($1)', [sessionId]);
  await makePartitions(pool, plan.days);
  const payers = await listPayers(pool, plan);
  const state = { stored: 0, rolledUp: 0 };
  say(`storing ${plan.rows} usage rows of ${plan.days} days and rolling them up`);
  await Promise.all([store(pool, plan, { sessionId, payers }, state, say), rollUp(pool, plan, state, say)]);
  await pay(pool, plan, sessionId);
  await pool.query('VACUUM (ANALYZE)');
  await pool.query('CHECKPOINT');
};

const makePartitions = async (pool: pg.Pool, days: number): Promise<void> => {
  for (let made: string | null = ''; made !== null; ) {
    const { rows } = await pool.query<{ made: string | null }>("SELECT made FROM usage_partition_make('month', kt_now() - make_interval(days => $1 + 1), kt_now() + interval '1 month', 0)", [days]);
    made = rows[0]!.made;
  }
};

/** Every key with what it needs to pay, those of the large organization first. Answers how many. */
const listPayers = async (pool: pg.Pool, { organizationId }: UsagePlan): Promise<number> => {
  await pool.query('CREATE TABLE bench_payer (place integer PRIMARY KEY, organization_id uuid, project_id uuid, api_key_id uuid, grant_id uuid)');
  const { rowCount } = await pool.query(
    `INSERT INTO bench_payer SELECT row_number() OVER (ORDER BY k.organization_id <> $1, k.organization_id, k.id) - 1, k.organization_id, k.project_id, k.id, g.id
     FROM api_key k JOIN credit_grant g ON g.organization_id = k.organization_id`,
    [organizationId],
  );
  return rowCount!;
};

interface State {
  stored: number;
  rolledUp: number;
}

interface Source {
  readonly sessionId: string;
  readonly payers: number;
}

const store = async (pool: pg.Pool, plan: UsagePlan, { sessionId, payers }: Source, state: State, say: (line: string) => void): Promise<void> => {
  for (let from = 0; from < plan.rows; from += rowsPerStatement) {
    const until = Math.min(from + rowsPerStatement, plan.rows);
    await pool.query(
      `WITH request AS MATERIALIZED (
         SELECT n, n / ${burst} AS burst, CASE WHEN n / ${burst} % ${largeEvery} = 0 THEN n / ${burst * largeEvery} % $4 ELSE $4 + n / ${burst} * 7919::bigint % ($5 - $4) END AS place,
           date_bin('1 minute', kt_now() - interval '2 minutes' - ($3 - n) / ${burst} * (make_interval(days => $6) / ($3 / ${burst})), 'epoch') + n % ${burst} * interval '1 second' AS at,
           20 + n * 7919::bigint % 1981 AS input, 1 + n * 104729::bigint % 500 AS output, n % 97 = 0 AS failed
         FROM generate_series($1::integer, $2::integer - 1) n),
       priced AS (
         SELECT r.*, left(uuid_floor(r.at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16) AS id, b.organization_id, b.project_id, b.api_key_id, b.grant_id, v.id AS price_version_id,
           v.model_id, l.id AS lane_id, CASE WHEN r.failed THEN 0 ELSE (r.input * 0.15 + r.output * 0.60) / 1000000 END AS charge, CASE WHEN r.failed THEN 0 ELSE (r.input * 0.10 + r.output * 0.40) / 1000000 END AS cost
         FROM request r JOIN bench_payer b ON b.place = r.place
         JOIN (SELECT *, row_number() OVER (ORDER BY model_id) - 1 AS place, count(*) OVER () AS all FROM price_version) v ON v.place = r.place % v.all JOIN lane l ON l.model_id = v.model_id),
       stored AS (
         INSERT INTO usage (organization_id, id, attempt, session_id, flush, shard, account_root_id, project_id, api_key_id, end_user, tags, operation, mode, stream, model,
           tier_asked, tier_served, outcome, status, error_code, finish_reason, lane_id, upstream_model, upstream_status, counts, estimated, context_tokens, max_tokens, price_version_id, unit,
           hold, rated, charge, allocations, cost, cost_currency, clock_offset_ms, admitted_at, dispatched_at, first_token_at, finished_at, settled_at)
         SELECT organization_id, id::uuid, 0, $7, burst, get_byte(uuid_send(organization_id), 15) % 16, organization_id, project_id, api_key_id, 'user-' || n % 1000,
           CASE WHEN place < $4 THEN jsonb_build_object('feature', (ARRAY['chat', 'search', 'summary', 'agent'])[1 + burst % 4]) END, 'chat.completions', 'realtime', n % 2 = 0, model_id,
           'auto', 'standard', CASE WHEN failed THEN 'failed' ELSE 'completed' END, CASE WHEN failed THEN 502 ELSE 200 END, CASE WHEN failed THEN 'vendor_failed' END, CASE WHEN NOT failed THEN 'stop' END,
           lane_id, model_id, CASE WHEN failed THEN 500 ELSE 200 END, CASE WHEN failed THEN '{}' ELSE jsonb_build_object('input', input, 'output', output) END, false, input + output, 500, price_version_id, 'USD',
           charge * 2, charge, charge, CASE WHEN failed THEN '[]' ELSE jsonb_build_array(jsonb_build_object('grant', grant_id, 'lease', organization_id, 'unit', 'USD', 'tokens', input + output, 'amount', trim_scale(charge)::text)) END,
           cost, 'USD', 0, at, at + interval '5 milliseconds', CASE WHEN NOT failed THEN at + (150 + n % 700) * interval '1 millisecond' END,
           at + (900 + output * 12) * interval '1 millisecond', at + (920 + output * 12) * interval '1 millisecond'
         FROM priced ORDER BY n
         RETURNING organization_id, id, attempt),
       numbered AS (SELECT *, (row_number() OVER () - 1) / ${rowsPerBatch} AS batch FROM stored)
       INSERT INTO unrolled_batch (session_id, flush, shard, organization_ids, usage_ids, attempts)
       SELECT $7, $1 + batch, 0, array_agg(organization_id), array_agg(id), array_agg(attempt) FROM numbered GROUP BY batch`,
      [from, until, plan.rows, plan.largeKeys, payers, plan.days, sessionId],
    );
    state.stored = until;
    if (until % progressEvery === 0) say(`  ${until} rows stored, ${state.rolledUp} rolled up`);
  }
};

/** Follows the stored rows, as the follower of the raters does. */
const rollUp = async (pool: pg.Pool, { rows: all }: UsagePlan, state: State, say: (line: string) => void): Promise<void> => {
  while (state.rolledUp < all) {
    const { rows } = await pool.query<{ rows: bigint }>('SELECT rows FROM rollup_add($1)', [batchesPerRollup]);
    const added = Number(rows[0]!.rows);
    if (added === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    const before = state.rolledUp;
    state.rolledUp += added;
    if (state.stored === all && Math.floor(before / progressEvery) < Math.floor(state.rolledUp / progressEvery)) say(`  ${state.rolledUp} rows rolled up`);
  }
};

/** Grants have settled what their usage cost. The newest requests of the large organization stand in an open lease of its gateway. */
const pay = async (pool: pg.Pool, { organizationId }: UsagePlan, sessionId: string): Promise<void> => {
  const { rows } = await pool.query<{ first: string }>('SELECT id AS first FROM usage WHERE organization_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1', [organizationId, leasedBursts * burst - 1]);
  await pool.query(
    `WITH used AS (SELECT organization_id, sum(charge) FILTER (WHERE organization_id <> $1 OR id < $2) AS settled FROM usage GROUP BY organization_id)
     UPDATE credit_grant g SET settled = u.settled, leased = l.slice, available = g.available - u.settled - l.slice
     FROM used u, LATERAL (SELECT CASE WHEN u.organization_id = $1 THEN 10 ELSE 0 END AS slice) l WHERE u.organization_id = g.organization_id`,
    [organizationId, rows[0]!.first],
  );
  await pool.query(
    `INSERT INTO lease (organization_id, id, grant_id, session_id, ask_id, slice, first_usage_id)
     SELECT organization_id, organization_id, id, $2, gen_random_uuid(), leased, $3 FROM credit_grant WHERE organization_id = $1`,
    [organizationId, sessionId, rows[0]!.first],
  );
};
