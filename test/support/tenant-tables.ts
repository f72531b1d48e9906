import type { MoneyDatabase } from './money-database.js';

/** Tables that are no tenant's, each with the reason why it need not be apart. All others lead their key with an organization. */
export const sharedTables: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['burn_table', 'burn_weight', 'lane', 'lane_cost', 'model', 'pack_unit', 'price_book', 'price_version', 'rate'].map((table) => [table, 'the catalogue is for all'])),
  _prisma_migrations: 'which migrations ran',
  applied_definition: 'which texts of functions and rights were applied',
  approval_threshold: 'above which amounts of a unit a second person is needed, whoever\'s',
  control_change: 'who changed what; of an organization where it is one\'s, and apart by policy',
  config_change: "what changed; read by gateway_poll alone, of everybody's for every gateway's caches",
  config_version: 'one number',
  database_mark: 'what kind of database this is',
  grant_counter_account: 'the chart of accounts is for all',
  ledger_account: 'the chart of accounts is for all',
  idempotent_mutation: "an actor's, who may belong to several organizations; reached by its functions alone, answers sealed",
  ledger_rule: 'the chart of accounts is for all',
  nightly_run: 'what was done in which night; reached by its functions alone',
  rated_batch: "the rater's, reached by its functions alone",
  rated_flush: "the rater's, reached by its functions alone",
  rating_counter: "the rater's, reached by its functions alone",
  rating_position: "the rater's, reached by its functions alone",
  reconcile_run: "what proofs of the books found; the auditor's",
  rollup_horizon: 'one moment',
  person: 'may belong to several organizations; seen where one of them is',
  ...Object.fromEntries(['credential', 'second_factor', 'sign_in_attempt', 'sign_in_session', 'sign_in_verification'].map((table) => [table, "sign-in's, reached by kilotoken_sign_in and functions alone"])),
  session: "a gateway's, which serves all",
  session_heartbeat: "a gateway's, which serves all",
  unrated_batch: "the rater's, reached by its functions alone",
  unrolled_batch: "the rollups' queue, reached by its functions alone",
  usage_seal: "proofs', of flushes with rows of many; written by a trigger alone",
  usage_seal_horizon: 'one moment',
  usage_archive: 'which partitions of usage were exported; the owner writes it',
};

/** The column that names the organization of a tenant's row. */
export const keyOf = (table: string): string => (table === 'organization' ? 'id' : 'organization_id');

export const listTenantTables = async (money: MoneyDatabase): Promise<string[]> => {
  const tables = await money.sql<{ name: string }>("SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1");
  return tables.map(({ name }) => name).filter((name) => !(name in sharedTables));
};

/** The organization below the one that `fillTenant` made. */
export const childOf = (organizationId: string): string => '11111111-1111-7111-8111-' + organizationId.slice(-12);

/** An organization with a row in every table that is a tenant's. */
export const fillTenant = async (money: MoneyDatabase): Promise<string> => {
  const { organizationId, grantIds, keys } = await money.newTenant('100');
  const session = await money.newSession();
  const lease = (await money.take(session, { need: '10' })).leases[0]!.leaseId;
  await money.take(session, { need: '1000' });
  await money.settle(session, 1, { charge: 1, allocations: [{ lease, grant: grantIds[0]!, amount: '1' }] });
  await money.checkpoint(session, { id: money.mintId(), charge: 1 });
  await money.quarantine(session, money.mintId(), 'vendor_usage');
  await money.sql("SELECT idempotency_claim($1, $2, 'key', gen_random_uuid(), sha256('body'), 86400000, 60000)", [session, organizationId]);
  await money.sql('INSERT INTO api_key_use VALUES ($1, $2, now())', [organizationId, keys[0]!.id]);
  await money.sql("INSERT INTO usage_limit VALUES ($1::uuid, $1::uuid, 'organization', $1::uuid, 'requests', 'count', 'day', 0, 5, 'hard')", [organizationId]);
  await money.sql(`SELECT limit_exchange($1, $2, uuidv7(), uuidv7(), '[{"limit": "${organizationId}", "subject": "${organizationId}", "keep": [], "need": 1, "least": 1, "spare": 0}]')`, [session, organizationId]);
  await money.sql("INSERT INTO webhook_endpoint (organization_id, id, url) VALUES ($1, $1, 'https://hooks.example.com/')", [organizationId]);
  await money.sql("INSERT INTO webhook_secret VALUES ($1, $1, $1, 'whsec_' || repeat('A', 44))", [organizationId]);
  await money.sql("INSERT INTO notice_address VALUES ($1, 'billing@example.com')", [organizationId]);
  await money.sql("INSERT INTO balance_notice VALUES ($1, 'USD', 5)", [organizationId]);
  await money.sql("SELECT events_dispatch(100, '{}')");
  await money.sql("INSERT INTO rollup_tag VALUES ($1, '2026-01-01Z', 'team', 'red')", [organizationId]);
  await money.sql('DELETE FROM unrated_batch');
  await money.app.query('SELECT rollup_add(10)');
  await money.sql(`WITH archive AS (INSERT INTO usage_archive (partition, first_id, until_id, rows, digest, file, file_bytes, file_sha256)
    VALUES ('usage_' || $1::uuid, uuid_floor('2020-01-01Z'), uuid_floor('2020-02-01Z'), 0, '', '', 0, '') RETURNING partition)
    INSERT INTO usage_archive_total SELECT $1::uuid, partition, 'rows', $1::uuid, 1 FROM archive`, [organizationId]);
  await money.sql("SELECT grant_adjust_against($1, $2, 1, 'gift', 'test', NULL)", [organizationId, grantIds[0]]);
  const child = childOf(organizationId);
  await money.sql("INSERT INTO organization (id, name, slug, account_root_id, price_book_id, parent_id) SELECT $2::uuid, 'Child', 'child-' || $2::uuid, account_root_id, price_book_id, id FROM organization WHERE id = $1", [organizationId, child]);
  await money.sql("SELECT grant_transfer_to($1, $2, $3, gen_random_uuid(), 1, 'transfer', 'test')", [organizationId, grantIds[0], child]);
  await money.sql("SELECT grant_refund_against($1, $2, NULL, 'refund', 'test', NULL)", [organizationId, grantIds[0]]);
  await money.sql("INSERT INTO rating_adjustment VALUES ($1, uuidv7(), uuidv7(), 0, 1, 1, 0, 'test')", [organizationId]);
  await money.sql("INSERT INTO quarantine_step VALUES ($1, uuidv7(), 0, 'vendor_usage', 1, 'discarded', NULL, NULL, 'test', 'test')", [organizationId]);
  const person = money.mintId();
  await money.sql("INSERT INTO person (id, name, email) VALUES ($1::uuid, 'Ada', $1::uuid || '@example.com')", [person]);
  await money.sql("INSERT INTO membership VALUES ($1, $2, 'owner')", [organizationId, person]);
  await money.sql("INSERT INTO invitation (organization_id, id, email, role, token_hash, expires_at) VALUES ($1, $2::uuid, 'bob@example.com', 'viewer', sha256($2::uuid::text::bytea), now() + interval '1 day')", [organizationId, person]);
  await money.sql("INSERT INTO service_token (organization_id, id, name, prefix, hash, role, expires_at) VALUES ($1, $2::uuid, 'ci', 'kst_abcd', sha256($2::uuid::text::bytea), 'viewer', now() + interval '1 day')", [organizationId, person]);
  await money.sql("INSERT INTO approval (organization_id, id, kind, reference, payload, unit, amount, requested_by_kind, requested_by_id, expires_at) VALUES ($1, $1, 'grant.issue', 'r', '{}', 'USD', 5000, 'system', (SELECT control_actor() ->> 'id'), now() + interval '1 day')", [organizationId]);
  await money.sql("INSERT INTO transfer_rule (organization_id, child_id, unit, threshold, amount, cap_per_month) VALUES ($1, $2, 'USD', 1, 1, 1)", [organizationId, child]);
  await money.sql("INSERT INTO budget_alert (organization_id, limit_id, period_start, percent, amount, used) VALUES ($1, $1, now(), 50, 5, 3)", [organizationId]);
  return organizationId;
};
