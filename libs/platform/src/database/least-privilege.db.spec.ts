import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { MoneyDatabase, sqlStateFrom } from '../../../../test/support/money-database.js';
import { serviceUrl } from '../../../../test/support/postgres.js';
import { databaseServices, type DatabaseService } from './app-login.js';
import { createPool } from './database.js';

/**
 * Who may do what, by enumeration of the catalog: each function and each table stands here for every service, and one that is new is in
 * none of these lists until somebody decides whose it is.
 */

const functionsOf: Readonly<Record<DatabaseService, readonly string[]>> = {
  gateway: [
    'checkpoint_requests', 'current_organization', 'gateway_poll', 'grant_balances', 'idempotency_bind', 'idempotency_claim', 'idempotency_release',
    'key_resolve_caller', 'kt_now', 'lease_return', 'lease_take', 'limit_exchange', 'session_confirm', 'session_end', 'session_open', 'settle', 'usage_quarantine_put',
  ],
  metering: [
    'grants_close', 'grants_expire', 'idempotency_expire', 'kt_now', 'rating_claim_rows', 'rating_counters_add', 'rating_counters_take', 'rating_flushes',
    'rating_lag', 'rating_post', 'rating_quarantine', 'rollup_add', 'rollup_lag', 'rollup_prune', 'session_pulses', 'session_reap_silent', 'usage_default_rows',
    'usage_partition_make',
  ],
  backoffice: [
    'balance_notices_check', 'budget_alerts_check', 'current_organization', 'events_dispatch', 'kt_now', 'nightly_enqueue',
    'outbox_enqueue', 'outbox_forget', 'outbox_job_claim', 'outbox_job_end', 'outbox_job_renew', 'outbox_jobs_take', 'outbox_state',
    'platform_organization', 'transfer_rule_run', 'transfer_rules_due', 'webhook_attempted', 'webhook_delivery',
  ],
  api: [
    'audit_append', 'calendar_window', 'current_organization', 'grant_adjust_against', 'grant_balances', 'grant_issue_against', 'grant_refund_against', 'grant_transfer_to',
    'idempotent_mutation_answer', 'idempotent_mutation_claim', 'iso_moment', 'kt_now', 'ledger_genesis',
    'ledger_hash', 'ledger_line', 'ledger_lock', 'limit_rest', 'limit_window', 'organization_descendants', 'outbox_put', 'person_mail_put', 'rating_lag', 'rollup_lag', 'rollup_rest', 'uuid_floor', 'uuid_moment',
    'viewer_of_session', 'viewer_of_token', 'visible_organizations',
  ],
};

/** Functions of the control plane, which changes one organization under `control_fence`, and of roles that the api becomes for a transaction. */
const functionsOfRoles: Readonly<Record<string, readonly string[]>> = {
  kilotoken_control: [
    'audit_append', 'calendar_window', 'current_organization', 'grant_adjust_against', 'grant_balances', 'grant_issue_against', 'grant_refund_against', 'grant_transfer_to', 'iso_moment', 'kt_now', 'ledger_genesis',
    'ledger_hash', 'ledger_line', 'ledger_lock', 'limit_rest', 'limit_window', 'organization_descendants', 'outbox_put', 'person_mail_put', 'quarantine_adjust', 'quarantine_lock', 'quarantine_settle', 'quarantine_step_put',
    'quarantine_take', 'rating_lag', 'rollup_lag', 'rollup_rebuild', 'rollup_rest', 'sees_all_organizations', 'uuid_floor', 'uuid_moment',
  ],
  kilotoken_staff: [
    'calendar_window', 'current_organization', 'grant_balances', 'iso_moment', 'kt_now', 'ledger_genesis', 'ledger_hash', 'ledger_line', 'limit_rest', 'limit_window', 'organization_descendants',
    'outbox_state', 'rating_lag', 'rollup_lag', 'rollup_rest', 'uuid_floor', 'uuid_moment',
  ],
  kilotoken_sign_in: ['invitation_accept', 'invitation_of', 'kt_now', 'person_erase', 'person_mail_put', 'sign_in_attempt_take'],
};

/** Functions that no service calls: parts of other functions, triggers, and those that the owner alone calls. */
const functionsOfNobody = [
  'approval_by_actor', 'audit_genesis', 'audit_hash', 'audit_is_final', 'balance_left', 'budget_used', 'control_change_audited', 'control_values', 'transfer_rule_fits',
  'catalogue_changed', 'checkpoint_write', 'config_changed', 'control_actor', 'control_change_is_final', 'control_changed', 'control_fence', 'diagnostic_number',
  'grant_counter_account_of', 'grant_event', 'grant_refund_advance', 'grant_refund_book', 'grant_refund_take',
  'grant_unit_known', 'idempotency_keys_max', 'idempotency_slot', 'json_storable', 'key_event', 'lane_cost_put', 'lease_shrink', 'ledger_is_final', 'ledger_pair',
  'ledger_post', 'ledger_post_many', 'limit_changed', 'limit_event', 'limit_is_full', 'limit_keep', 'limit_reap', 'limit_state', 'limit_subjects_max', 'limit_take',
  'membership_keeps_owner', 'opened_request_put', 'organization_changed', 'organization_price_book_put', 'organization_tree', 'organization_zone_changed',
  'published_is_final', 'quarantine_open', 'quarantine_session',
  'rating_adjust_unit', 'rating_collect', 'rating_pick', 'rating_return', 'role_fits', 'rollup_bucket',
  'rollup_histogram_add', 'rollup_ms', 'rollup_tags_max', 'rollup_tags_name', 'rollup_tags_of', 'rollup_tokens', 'rollup_values_max',
  'session_fence', 'session_reap', 'session_reap_one_by_one', 'unrolled_put', 'usage_amounts', 'usage_insert',
  'usage_partitions', 'usage_portions_sound', 'usage_range_closed', 'usage_seal_put', 'usage_storable', 'usage_write',
];

/** To read; none of them writes any, but for the api, which writes as the control plane does. Of tenants' tables they see one organization's rows. */
const tablesOf: Readonly<Record<Exclude<DatabaseService, 'api'>, readonly string[]>> = {
  gateway: ['burn_table', 'burn_weight', 'config_version', 'credit_grant', 'database_mark', 'lane', 'lease', 'model', 'open_request', 'pack_unit', 'price_version', 'rate', 'usage'],
  metering: ['burn_table', 'burn_weight', 'database_mark', 'pack_unit', 'price_version', 'rate'],
  backoffice: ['database_mark', 'organization', 'outbox_event'],
};
type Reader = keyof typeof tablesOf;

/** Tables that hold how people sign in. kilotoken_sign_in alone has them. */
const signInTables = ['credential', 'second_factor', 'sign_in_attempt', 'sign_in_session', 'sign_in_verification'];

/** Hashes of the ledger's chain are named like a secret and are none. */
const secretLike = ['audit_entry.hash', 'audit_entry.previous_hash', 'ledger_chain.hash', 'ledger_transaction.hash', 'ledger_transaction.previous_hash'];

const forbidden = '42501';

let money: MoneyDatabase;
const pools = new Map<DatabaseService, pg.Pool>();

beforeAll(async () => {
  money = await MoneyDatabase.create();
  for (const service of databaseServices) pools.set(service, createPool({ connectionString: serviceUrl(money.database.appUrl, service), max: 2, applicationName: `test ${service}` }));
});
afterAll(async () => {
  await Promise.all([...pools.values()].map((pool) => pool.end()));
  await money.drop();
});

const names = async (sql: string, values: unknown[] = []): Promise<string[]> => (await money.sql<{ name: string }>(sql, values)).map(({ name }) => name);
const allFunctions = (): Promise<string[]> => names("SELECT DISTINCT proname::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1");
const rightsOf = (role: string): Promise<{ table: string; right: string }[]> =>
  money.sql(
    `SELECT c.relname::text AS "table", p AS "right" FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) AS p
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND (has_table_privilege($1, c.oid, p) OR (p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege($1, c.oid, p))) ORDER BY 1, 2`,
    [role],
  );
const as = (service: DatabaseService, sql: string, values: unknown[] = []) => sqlStateFrom(pools.get(service)!.query(sql, values));

describe.each(databaseServices.map((service) => ({ service, role: `kilotoken_${service}` })))('$role', ({ service, role }) => {
  it('executes its functions and no other', async () => {
    const able = await names("SELECT DISTINCT proname::text AS name FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND has_function_privilege($1, p.oid, 'EXECUTE') ORDER BY 1", [role]);
    expect(able).toEqual([...functionsOf[service]]);
  });

  it('reads its tables and no other, and writes none', async () => {
    if (service !== 'api') expect(await rightsOf(role)).toEqual(tablesOf[service].map((table) => ({ table, right: 'SELECT' })));
    expect(await names("SELECT relname::text AS name FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND CASE WHEN relkind = 'S' THEN has_sequence_privilege($1, c.oid, 'USAGE') END", [role])).toEqual([]);
  });

  it('is a group without a login, a member of nothing by itself, and creates nothing', async () => {
    const [found] = await money.sql(
      `SELECT rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS strong, EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid AND inherit_option) AS "isMember",
         has_schema_privilege(r.oid, 'public', 'CREATE') AS creates FROM pg_roles r WHERE rolname = $1`,
      [role],
    );
    expect(found).toEqual({ strong: false, isMember: false, creates: false });
  });

  it('reaches the queues only where it works on them', async () => {
    const [found] = await money.sql<{ uses: boolean }>("SELECT has_schema_privilege($1, 'bullmq', 'USAGE') AS uses", [role]);
    expect(found).toEqual({ uses: service === 'backoffice' });
  });

  it('sees rows of the organization that its transaction names, and of no other', async () => {
    const tenantTables = (service === 'api' ? ['api_key', 'invitation', 'membership', 'person', 'service_token', 'usage'] : tablesOf[service as Reader]).filter((table) => service === 'api' || ['credit_grant', 'lease', 'open_request', 'organization', 'outbox_event', 'usage'].includes(table));
    await money.newTenant('10');
    for (const table of tenantTables) {
      const { rows } = await pools.get(service)!.query<{ count: bigint }>(`SELECT count(*) AS count FROM ${table}`);
      expect([table, Number(rows[0]!.count)]).toEqual([table, 0]);
    }
  });
});

describe('the api', () => {
  it('has the tables of the control plane, but for the queues of flushes, and no other; thresholds of approvals it only reads', async () => {
    const rights = (await rightsOf('kilotoken_control')).filter(({ table }) => table !== 'unrated_batch' && table !== 'unrolled_batch')
      .filter(({ table, right }) => table !== 'approval_threshold' || right === 'SELECT');
    expect(await rightsOf('kilotoken_api')).toEqual(rights);
  });

  it('becomes staff and sign-in for a transaction, and no other role', async () => {
    const roles = await names("SELECT roleid::regrole::text || ' ' || inherit_option || ' ' || set_option || ' ' || admin_option AS name FROM pg_auth_members WHERE member = 'kilotoken_api'::regrole ORDER BY 1");
    expect(roles).toEqual(['kilotoken_sign_in false true false', 'kilotoken_staff false true false']);
    for (const role of ['kilotoken_control', 'kilotoken_gateway', 'kilotoken_metering', 'kilotoken_definer']) expect([role, await as('api', `SET ROLE ${role}`)]).toEqual([role, forbidden]);
  });

  it.each(signInTables)('reads nothing of %s by itself', async (table) => expect(await as('api', `SELECT FROM ${table}`)).toBe(forbidden));

  it.each([
    ['a hash of a service token', 'SELECT hash FROM service_token'],
    ['a secret of an invitation', 'SELECT token_hash FROM invitation'],
    ['a secret of a webhook', 'SELECT secret FROM webhook_secret'],
  ])('reads no column with %s', async (_name, sql) => expect(await as('api', sql)).toBe(forbidden));
});

describe('staff', () => {
  it('reads what it is shown and writes nothing', async () => {
    const rights = await rightsOf('kilotoken_staff');
    expect(rights.filter(({ right }) => right !== 'SELECT')).toEqual([]);
    expect(rights.filter(({ table }) => signInTables.includes(table))).toEqual([]);
    expect(rights.length).toBeGreaterThan(40);
  });

  it('sees no secret: every column by its name', async () => {
    const secrets = await names(
      `SELECT c.relname || '.' || a.attname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
         AND a.attname ~ '(hash|secret|password|token$|codes)' AND has_column_privilege('kilotoken_staff', c.oid, a.attnum, 'SELECT') AND NOT c.relispartition ORDER BY 1`,
    );
    expect(secrets).toEqual(secretLike);
  });
});

describe.each(Object.entries(functionsOfRoles))('%s', (role, functions) => {
  it('executes its functions and no other', async () => {
    const able = await names("SELECT DISTINCT proname::text AS name FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND has_function_privilege($1, p.oid, 'EXECUTE') ORDER BY 1", [role]);
    expect(able).toEqual([...functions]);
  });

  it('is a group without a login, which becomes at most how people sign in', async () => {
    const [found] = await money.sql(
      `SELECT rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS strong,
         ARRAY(SELECT m.roleid::regrole::text || ' ' || m.inherit_option FROM pg_auth_members m WHERE m.member = r.oid) AS "memberOf" FROM pg_roles r WHERE rolname = $1`, [role],
    );
    expect(found).toEqual({ strong: false, memberOf: role === 'kilotoken_control' ? ['kilotoken_sign_in false'] : [] });
  });
});

describe('sign-in', () => {
  it('writes people and how they sign in, and nothing else', async () => {
    const rights = await rightsOf('kilotoken_sign_in');
    expect([...new Set(rights.map(({ table }) => table))]).toEqual([...signInTables, 'database_mark', 'person'].sort());
    expect(rights.filter(({ table, right }) => right === 'DELETE' && table === 'person')).toEqual([]);
  });
});

describe('every function', () => {
  it('is named for the services that call it, or as nobody’s', async () => {
    const called = [...Object.values(functionsOf), ...Object.values(functionsOfRoles)].flat();
    expect(await allFunctions()).toEqual([...new Set([...called, ...functionsOfNobody])].sort());
    expect(functionsOfNobody.filter((name) => called.includes(name))).toEqual([]);
  });

  it('is executed by nobody who was not granted it', async () => {
    expect(await names("SELECT proname::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)")).toEqual([]);
  });
});

describe('a gateway that was taken over', () => {
  it.each([
    ['reads no secret of a webhook', 'SELECT * FROM webhook_secret'],
    ['is given none', "SELECT webhook_delivery(gen_random_uuid(), gen_random_uuid(), gen_random_uuid())"],
    ['forgets nothing of the outbox', "SELECT outbox_forget('{send-mail}', '{0}', 0, 1000)"],
    ['enqueues no job', "SELECT outbox_enqueue(gen_random_uuid(), 'send-mail', 'k', '{}')"],
    ['puts no event', "SELECT outbox_put(gen_random_uuid(), 'grant.issued', 'k', '{}')"],
    ['posts nothing to the ledger', "SELECT rating_post(gen_random_uuid(), '[]', '[]', '[]', '[]')"],
    ['rates nothing', "SELECT * FROM rating_claim_rows(gen_random_uuid(), '{0}', 1, 1)"],
    ['issues no grant', "SELECT grant_issue_against(gen_random_uuid(), gen_random_uuid(), 'USD', 1, 'promotion', 'x', NULL, NULL, NULL, NULL, NULL)"],
    ['reaps nobody', 'SELECT session_reap(gen_random_uuid())'],
    ['reaps nobody who is silent', 'SELECT session_reap_silent(gen_random_uuid(), 0)'],
    ['learns of no other session', 'SELECT * FROM session'],
    ['reads nobody’s keys', 'SELECT * FROM api_key'],
    ['shifts no clock', "UPDATE database_mark SET clock_shift = '1 day'"],
    ['is no other role', 'SET ROLE kilotoken_metering'],
  ])('%s', async (_name, sql) => expect(await as('gateway', sql)).toBe(forbidden));

  it('ends its own session and no other', async () => {
    const [mine, theirs] = [money.mintId(), money.mintId()];
    const keys = [randomBytes(32), randomBytes(32)];
    for (const [index, session] of [mine, theirs].entries()) expect(await as('gateway', "SELECT session_open($1, 'gateway', 'here', 1, 'test', sha256($2))", [session, keys[index]])).toBeUndefined();
    const old = await money.newSession();
    expect(await as('gateway', 'SELECT session_end($1, $2)', [theirs, keys[0]])).toBe(forbidden);
    expect(await as('gateway', 'SELECT session_end($1, NULL)', [old])).toBe(forbidden);
    expect(await as('gateway', 'SELECT session_end($1, $2)', [mine, keys[0]])).toBeUndefined();
    expect([(await money.poll(mine)).alive, (await money.poll(theirs)).alive, (await money.poll(old)).alive]).toEqual([false, true, true]);
  });

  it('settles nothing for an organization that does not exist', async () => {
    await money.newTenant('10');
    const session = await money.newSession();
    const row = { ...money.usageRow({ charge: 1 }), organization: money.mintId() };
    expect(await as('gateway', 'SELECT settle($1, 1, $2)', [session, JSON.stringify([row])])).toBe('23503');
  });
});

describe('the others', () => {
  it.each<[DatabaseService, string, string]>([
    ['metering', 'settles nothing', "SELECT settle(gen_random_uuid(), 1, '[]')"],
    ['metering', 'takes no lease', "SELECT lease_take(gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'USD', 'm', 1, 1, 0, gen_random_uuid())"],
    ['metering', 'opens no session', "SELECT session_open(gen_random_uuid(), 'gateway', 'h', 1, 'r', NULL)"],
    ['metering', 'looks up no key', "SELECT key_resolve_caller('a')"],
    ['metering', 'reads no secret of a webhook', 'SELECT * FROM webhook_secret'],
    ['backoffice', 'settles nothing', "SELECT settle(gen_random_uuid(), 1, '[]')"],
    ['backoffice', 'posts nothing to the ledger', "SELECT rating_post(gen_random_uuid(), '[]', '[]', '[]', '[]')"],
    ['backoffice', 'reads secrets of webhooks by their deliveries alone', 'SELECT * FROM webhook_secret'],
    ['backoffice', 'reads no usage', 'SELECT * FROM usage'],
    ['backoffice', 'reaps nobody', 'SELECT session_reap_silent(gen_random_uuid(), 0)'],
    ['api', 'settles nothing', "SELECT settle(gen_random_uuid(), 1, '[]')"],
    ['api', 'looks up no key', "SELECT key_resolve_caller('a')"],
    ['api', 'writes no ledger', "INSERT INTO ledger_transaction (organization_id, id, kind, source_id) VALUES (gen_random_uuid(), uuidv7(), 'gift', 'x')"],
    ['api', 'shifts no clock', "UPDATE database_mark SET clock_shift = '1 day'"],
  ])('%s %s', async (service, _name, sql) => expect(await as(service, sql)).toBe(forbidden));
});
