import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MoneyDatabase, sqlStateFrom } from '../../../../test/support/money-database.js';
import { fillTenant, keyOf, listTenantTables, sharedTables } from '../../../../test/support/tenant-tables.js';
import { asOrganization, inTransaction } from './database.js';

/**
 * I8, by enumeration: every table, function and role of the database is looked at, so that a new one is either a tenant's,
 * and apart, or is named here with the reason why it need not be.
 */

/** What crosses organizations by nature. */
const crossingFunctions = [
  'balance_notices_check', 'budget_alerts_check', 'checkpoint_requests', 'events_dispatch', 'gateway_poll', 'grants_close', 'grants_expire', 'idempotency_bind', 'idempotency_claim',
  'idempotency_expire', 'idempotency_release', 'key_resolve_caller', 'lease_return', 'lease_take', 'limit_exchange',
  'nightly_enqueue', 'outbox_enqueue', 'outbox_forget', 'outbox_job_claim', 'outbox_job_end', 'outbox_job_renew',
  'outbox_jobs_take', 'outbox_put', 'outbox_state',
  'rating_claim_rows', 'rating_counters_add', 'rating_counters_take', 'rating_flushes', 'rating_lag', 'rating_post', 'rating_quarantine', 'rollup_add', 'rollup_lag', 'rollup_prune',
  'session_confirm', 'session_end', 'session_fence', 'session_open', 'session_pulses', 'session_reap', 'session_reap_silent', 'settle', 'transfer_rule_run', 'transfer_rules_due', 'usage_quarantine_put', 'webhook_attempted',
  'webhook_delivery',
];
/** Functions that the control plane calls or sets off, and no service (two keep histories): they write for the organization that the caller names. */
const controlFunctions = [
  'idempotent_mutation_answer', 'idempotent_mutation_claim',
  'approval_by_actor', 'audit_append', 'catalogue_changed', 'control_change_audited', 'control_changed', 'transfer_rule_fits', 'grant_adjust_against', 'grant_event', 'grant_issue_against', 'grant_refund_against', 'grant_transfer_to', 'key_event', 'lane_cost_put', 'ledger_lock', 'limit_changed',
  'organization_changed', 'organization_price_book_put', 'organization_tree', 'organization_zone_changed', 'role_fits', 'membership_keeps_owner', 'person_mail_put',
  'quarantine_adjust', 'quarantine_lock', 'quarantine_settle', 'quarantine_step_put', 'quarantine_take', 'rollup_rebuild',
];
/** These let people and tokens in, before anybody knows of which organization they are. */
const signInFunctions = ['invitation_accept', 'invitation_of', 'person_erase', 'viewer_of_session', 'viewer_of_token'];
/** What runs with the owner's rights, which alone make a partition of usage or look into its default one; they take no text but a period's name. */
const ownersFunctions = ['usage_default_rows', 'usage_partition_make'];
/** What the application runs with its own rights. */
const ownFunctions = ['current_organization', 'grant_balances', 'iso_moment', 'kt_now', 'platform_organization', 'uuid_floor'];

/** What functions alone may read. */
const hiddenTables = ['approval', 'audit_chain', 'audit_entry', 'budget_alert', 'transfer_rule', 'invitation', 'limit_ask', 'membership', 'opened_request', 'organization_price_book', 'outbox_position', 'refused_ask', 'service_token', 'webhook_secret'];
const readableTables = (): string[] => tenantTables.filter((table) => !hiddenTables.includes(table));

/** What proofs of the books read, of all organizations, as a role that only the nightly job logs in with. */
const auditedTables = [
  'api_key', 'audit_chain', 'audit_entry', 'credit_grant', 'grant_adjustment', 'grant_refund', 'grant_transfer', 'idempotency_claim', 'ledger_chain', 'ledger_posting', 'ledger_transaction', 'lease', 'limit_counter', 'limit_slice', 'open_request',
  'opened_request', 'organization', 'organization_price_book', 'outbox_event', 'outbox_job', 'outbox_position', 'project', 'quarantine_step', 'rating_adjustment', 'rollup_tag', 'usage', 'usage_archive_total',
  'usage_limit', 'usage_quarantine', 'usage_rollup',
];

/** The service that may read a table as kilotoken_app does; see least-privilege.db.spec.ts. */
const serviceOf: Readonly<Record<string, string>> = {
  credit_grant: 'kilotoken_gateway', lease: 'kilotoken_gateway', open_request: 'kilotoken_gateway', usage: 'kilotoken_gateway',
  organization: 'kilotoken_backoffice', outbox_event: 'kilotoken_backoffice',
};

/** Policies of the control plane, the api and staff: proven by the rows that each of them sees, below. */
const ownPolicies = ['operating', 'control', 'reading', 'staff', 'changing'];

const forbidden = '42501';
const searchPath = 'search_path=pg_catalog, public, pg_temp';

let money: MoneyDatabase;
let organizations: [string, string];
let tenantTables: string[];

beforeAll(async () => {
  money = await MoneyDatabase.create();
  organizations = [await fillTenant(money), await fillTenant(money)];
  tenantTables = await listTenantTables(money);
});
afterAll(() => money.drop());

const names = async (sql: string, values: unknown[] = []): Promise<string[]> => (await money.sql<{ name: string }>(sql, values)).map(({ name }) => name);

const countAs = (organizationId: string, table: string): Promise<[number, number]> =>
  asOrganization(money.app, organizationId, async (db) => {
    const { rows } = await db.query<{ mine: bigint; all: bigint }>(`SELECT count(*) FILTER (WHERE ${keyOf(table)} = $1) AS mine, count(*) AS all FROM ${table}`, [organizationId]);
    return [Number(rows[0]!.mine), Number(rows[0]!.all)];
  });

describe('every table', () => {
  it("is a tenant's, or is named here with its reason", async () => {
    const withoutKey: string[] = [];
    for (const table of tenantTables) {
      const columns = await names('SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull', [table]);
      if (!columns.includes(keyOf(table))) withoutKey.push(table);
    }
    expect(withoutKey).toEqual([]);
    const known = await names("SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')");
    expect(Object.keys(sharedTables).filter((table) => !known.includes(table))).toEqual([]);
  });

  it("that is a tenant's has row-level security for the application: its own rows, to read", async () => {
    const policies = await money.sql<{ table: string; name: string; command: string; roles: string[]; sees: string }>(
      'SELECT tablename AS "table", policyname AS name, cmd AS command, roles, qual AS sees FROM pg_policies WHERE schemaname = \'public\'',
    );
    const secured = await names("SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity");
    for (const table of tenantTables) {
      const [application, ...others] = policies.filter((policy) => policy.table === table && !ownPolicies.includes(policy.name)).sort((a, b) => (a.name > b.name ? -1 : 1));
      expect([table, secured.includes(table)]).toEqual([table, true]);
      expect(application).toMatchObject({ table, name: 'tenant', command: 'SELECT', sees: `(${keyOf(table)} = current_organization())` });
      const service = serviceOf[table];
      expect(String(application!.roles)).toBe(service ? `{kilotoken_app,${service}}` : '{kilotoken_app}');
      const auditing = auditedTables.includes(table) ? [['auditing', '{kilotoken_auditor}']] : [];
      expect(others.map(({ name, roles }) => [name, String(roles)])).toEqual([['crossing', '{kilotoken_definer}'], ...auditing]);
    }
  });

  it('that is a partition cannot be read past its parent', async () => {
    const partitions = await names("SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relispartition AND relkind = 'r'");
    expect(partitions.length).toBeGreaterThan(12);
    for (const partition of partitions) {
      expect([partition, await sqlStateFrom(asOrganization(money.app, organizations[0], (db) => db.query(`SELECT FROM ${partition}`)))]).toEqual([partition, forbidden]);
    }
    expect(await names("SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r' AND NOT relrowsecurity")).toEqual([]);
  });

  it("that is a tenant's leads its primary key with the organization, and so does every reference between two of them", async () => {
    const tables = tenantTables.filter((table) => table !== 'organization');
    const leading = await money.sql<{ table: string; column: string }>(
      `SELECT c.conrelid::regclass::text AS "table", a.attname AS column FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
       WHERE c.contype = 'p' AND c.conrelid::regclass::text = ANY ($1)`,
      [tables],
    );
    expect(leading.filter(({ column }) => column !== 'organization_id')).toEqual([]);
    expect(leading).toHaveLength(tables.length);
    const references = await money.sql<{ name: string; columns: string[] }>(
      `SELECT c.conname AS name, array_agg(a.attname::text ORDER BY k.position) AS columns FROM pg_constraint c
       CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(number, position) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
       WHERE c.contype = 'f' AND c.conrelid::regclass::text = ANY ($1) AND c.confrelid::regclass::text = ANY ($1) GROUP BY c.oid, c.conname`,
      [tables],
    );
    expect(references.length).toBeGreaterThan(3);
    expect(references.filter(({ columns }) => columns[0] !== 'organization_id')).toEqual([]);
  });
});

describe('the application', () => {
  it('reads the rows of the organization that it names, and of no other', async () => {
    for (const table of readableTables()) {
      for (const organizationId of organizations) {
        const [mine, all] = await countAs(organizationId, table);
        expect([table, mine > 0, all]).toEqual([table, true, mine]);
      }
    }
  });

  it.each([
    ['no organization', null],
    ['an empty name', ''],
    ['an organization that does not exist', '01890000-0000-7000-8000-000000000000'],
  ])('reads nothing with %s', async (_name, setting) => {
    for (const table of readableTables()) {
      const seen = await inTransaction(money.app, async (db) => {
        if (setting !== null) await db.query("SELECT set_config('kilotoken.organization_id', $1, true)", [setting]);
        return (await db.query(`SELECT FROM ${table}`)).rowCount;
      });
      expect([table, seen]).toEqual([table, 0]);
    }
  });

  it('cannot look past row-level security', async () => {
    for (const table of tenantTables) {
      const looking = inTransaction(money.app, async (db) => {
        await db.query('SET LOCAL row_security = off');
        await db.query(`SELECT FROM ${table}`);
      });
      expect([table, await sqlStateFrom(looking)]).toEqual([table, forbidden]);
    }
  });

  it("reads another organization's balances neither", async () => {
    const [mine, theirs] = organizations;
    const balances = (of: string) => asOrganization(money.app, mine, async (db) => (await db.query('SELECT FROM grant_balances($1, NULL)', [of])).rowCount);
    expect([await balances(mine), await balances(theirs)]).toEqual([1, 0]);
  });

  it('writes to no table at all, by no privilege', async () => {
    const privileges = await names(
      `SELECT c.relname || ': ' || p AS name FROM pg_class c CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) AS p
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
         AND (has_table_privilege('kilotoken_app', c.oid, p) OR has_table_privilege($1::name, c.oid, p)
           OR (p IN ('INSERT', 'UPDATE', 'REFERENCES') AND (has_any_column_privilege('kilotoken_app', c.oid, p) OR has_any_column_privilege($1::name, c.oid, p))))`,
      [await login()],
    );
    expect(privileges).toEqual([]);
  });

  it('is told so when it tries', async () => {
    for (const table of tenantTables) {
      const key = keyOf(table);
      for (const statement of [`INSERT INTO ${table} (${key}) VALUES ('${organizations[0]}')`, `UPDATE ${table} SET ${key} = ${key}`, `DELETE FROM ${table}`, `TRUNCATE ${table}`]) {
        expect([statement, await sqlStateFrom(asOrganization(money.app, organizations[0], (db) => db.query(statement)))]).toEqual([statement, forbidden]);
      }
    }
  });

  it.each([
    ["a rater's queue", 'SELECT * FROM unrated_batch'],
    ['refused asks', 'SELECT * FROM refused_ask'],
    ['sessions', 'SELECT * FROM session'],
    ['what changed for whom', 'SELECT * FROM config_change'],
    ['the clock', "UPDATE database_mark SET clock_shift = '1 day'"],
    ['a table of its own', 'CREATE TABLE mine ()'],
    ['a function of its own', 'CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS $$SELECT 1$$'],
    ["the definer's rights", 'SET ROLE kilotoken_definer'],
    ['a posting', "SELECT ledger_post(gen_random_uuid(), 'gift', 'gift', '[]')"],
    ['a grant', "SELECT grant_issue_against(gen_random_uuid(), gen_random_uuid(), 'USD', 1, 'prepaid', 'gift', NULL, NULL, NULL, NULL, NULL)"],
    ['a return without the fence', "SELECT lease_shrink(gen_random_uuid(), '[]')"],
    ['usage without the fence', "SELECT usage_insert(gen_random_uuid(), 1, '[]')"],
    ['a change of configuration', "SELECT config_changed('catalogue', NULL)"],
  ])('cannot have %s', async (_name, statement) => {
    expect(await sqlStateFrom(money.app.query(statement))).toBe(forbidden);
  });
});

/** The name that the application logs in with. */
const login = async (): Promise<string> => (await money.app.query<{ name: string }>('SELECT current_user AS name')).rows[0]!.name;

describe('every function', () => {
  const functionsWhere = (condition: string): Promise<string[]> => names(`SELECT DISTINCT proname AS name FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND ${condition} ORDER BY 1`);

  it('that crosses organizations is named here', async () => {
    expect(await functionsWhere('prosecdef')).toEqual([...crossingFunctions, ...controlFunctions, ...signInFunctions, ...ownersFunctions].sort());
  });

  it("that crosses organizations is the definer's, with a search path that nobody can change", async () => {
    expect(await functionsWhere("prosecdef AND pg_get_userbyid(proowner) <> 'kilotoken_definer'")).toEqual(ownersFunctions);
    expect(await functionsWhere(`prosecdef AND proconfig[1] IS DISTINCT FROM '${searchPath}'`)).toEqual([]);
    expect(await functionsWhere("NOT prosecdef AND pg_get_userbyid(proowner) = 'kilotoken_definer'")).toEqual([]);
  });

  it('is executed by nobody who was not granted it', async () => {
    expect(await functionsWhere('EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault(\'f\', proowner))) WHERE grantee = 0)')).toEqual([]);
    expect(await functionsWhere("has_function_privilege('kilotoken_app', p.oid, 'EXECUTE')")).toEqual([...crossingFunctions, ...ownersFunctions, ...ownFunctions].sort());
  });
});

describe('every role', () => {
  it('of ours has the rights of its purpose alone', async () => {
    const roles = await money.sql<{ role: string; rights: string[]; groups: string[] }>(
      `SELECT rolname AS role, array_remove(ARRAY[CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypass' END,
           CASE WHEN rolcreaterole THEN 'create roles' END, CASE WHEN rolcreatedb THEN 'create databases' END, CASE WHEN rolreplication THEN 'replicate' END], NULL) AS rights,
         ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) AS groups
       FROM pg_roles r WHERE rolname IN ('kilotoken_app', 'kilotoken_auditor', 'kilotoken_definer', $1) ORDER BY 1`,
      [await login()],
    );
    expect(roles).toEqual([
      { role: 'kilotoken_app', rights: [], groups: [] },
      { role: 'kilotoken_auditor', rights: [], groups: [] },
      { role: 'kilotoken_definer', rights: [], groups: [] },
      { role: await login(), rights: ['login'], groups: ['kilotoken_app'] },
    ]);
  });

  it('but the owner owns no table, and the definer nothing but its functions', async () => {
    const owned = await names(
      `SELECT pg_get_userbyid(o.owner) || ' owns ' || o.what AS name FROM (
         SELECT relowner AS owner, 'relation ' || relname AS what FROM pg_class
         UNION ALL SELECT nspowner, 'schema ' || nspname FROM pg_namespace
         UNION ALL SELECT typowner, 'type ' || typname FROM pg_type
         UNION ALL SELECT datdba, 'database ' || datname FROM pg_database
         UNION ALL SELECT proowner, 'function ' || proname FROM pg_proc WHERE NOT prosecdef OR pg_get_userbyid(proowner) <> 'kilotoken_definer') o
       WHERE pg_get_userbyid(o.owner) IN ('kilotoken_app', 'kilotoken_auditor', 'kilotoken_definer', $1)`,
      [await login()],
    );
    expect(owned).toEqual([]);
  });

  it('creates nothing in the schema', async () => {
    const able = await names("SELECT r AS name FROM unnest(ARRAY['kilotoken_app', 'kilotoken_auditor', 'kilotoken_definer', $1::text]) AS r WHERE has_schema_privilege(r, 'public', 'CREATE')", [await login()]);
    expect(able).toEqual([]);
  });
});

describe('the auditor', () => {
  it('writes what it found, and nothing else', async () => {
    const rights = await names(
      `SELECT c.relname || ' ' || p AS name FROM pg_class c CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND has_table_privilege('kilotoken_auditor', c.oid, p)`,
    );
    expect(rights).toEqual(['reconcile_run INSERT']);
    expect(await names("SELECT proname AS name FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('kilotoken_auditor', p.oid, 'EXECUTE')")).toEqual(['kt_now']);
  });
});

describe('the definer', () => {
  it('writes only where its functions must', async () => {
    const rights = await money.sql<{ table: string; rights: string }>(
      `SELECT c.relname AS "table", string_agg(p, ' ' ORDER BY p) AS rights FROM pg_class c CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND has_table_privilege('kilotoken_definer', c.oid, p) GROUP BY 1 ORDER BY 1`,
    );
    expect(Object.fromEntries(rights.map(({ table, rights: of }) => [table, of]))).toEqual({
      api_key_use: 'INSERT UPDATE',
      audit_chain: 'INSERT UPDATE',
      audit_entry: 'INSERT',
      balance_notice: 'UPDATE',
      budget_alert: 'INSERT',
      config_change: 'DELETE INSERT',
      config_version: 'UPDATE',
      control_change: 'INSERT',
      credential: 'DELETE',
      credit_grant: 'INSERT UPDATE',
      grant_adjustment: 'INSERT',
      grant_refund: 'INSERT UPDATE',
      grant_transfer: 'INSERT',
      idempotency_claim: 'DELETE INSERT UPDATE',
      idempotency_tally: 'DELETE INSERT UPDATE',
      idempotent_mutation: 'DELETE INSERT UPDATE',
      invitation: 'UPDATE',
      lane_cost: 'INSERT UPDATE',
      lease: 'INSERT UPDATE',
      ledger_chain: 'INSERT UPDATE',
      ledger_posting: 'INSERT',
      ledger_transaction: 'INSERT',
      limit_ask: 'DELETE INSERT UPDATE',
      limit_counter: 'DELETE INSERT UPDATE',
      limit_slice: 'DELETE INSERT UPDATE',
      membership: 'DELETE INSERT',
      nightly_run: 'INSERT',
      notice_address: 'DELETE',
      open_request: 'DELETE INSERT UPDATE',
      opened_request: 'INSERT',
      organization_price_book: 'INSERT UPDATE',
      outbox_event: 'DELETE INSERT UPDATE',
      outbox_job: 'DELETE INSERT UPDATE',
      outbox_position: 'INSERT UPDATE',
      person: 'UPDATE',
      quarantine_step: 'INSERT',
      rated_batch: 'INSERT',
      rated_flush: 'INSERT',
      rating_adjustment: 'INSERT',
      rating_counter: 'INSERT UPDATE',
      rating_position: 'INSERT UPDATE',
      refused_ask: 'DELETE INSERT UPDATE',
      rollup_horizon: 'UPDATE',
      rollup_tag: 'INSERT',
      second_factor: 'DELETE',
      service_token: 'UPDATE',
      session: 'INSERT UPDATE',
      session_heartbeat: 'INSERT UPDATE',
      transfer_rule: 'UPDATE',
      sign_in_session: 'DELETE',
      sign_in_verification: 'DELETE',
      unrated_batch: 'DELETE INSERT UPDATE',
      unrolled_batch: 'DELETE INSERT',
      usage: 'INSERT',
      usage_quarantine: 'INSERT',
      usage_rollup: 'DELETE INSERT UPDATE',
      usage_seal: 'INSERT',
      webhook_endpoint: 'UPDATE',
    });
  });

  it('shows nobody what is not theirs: the schema has no view that could', async () => {
    expect(await names("SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')")).toEqual([]);
  });
});
