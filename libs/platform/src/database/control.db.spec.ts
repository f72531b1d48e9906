import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MoneyDatabase, sqlStateFrom } from '../../../../test/support/money-database.js';
import { changeThrough, createControlPool, operatorSession, type Actor, type ControlPool } from './actor.js';
import { controlLoginName, ensureControlLogin } from './app-login.js';
import { changeAs } from './change.js';
import { createControlClient, type ControlClient } from './prisma.js';

const actor: Actor = { kind: 'person', id: 'person-7', name: 'Ada' };
const forbidden = '42501';

let money: MoneyDatabase;
let pool: ControlPool;
let operator: ControlPool;
let client: ControlClient;
let organizationId: string;
let other: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const url = await ensureControlLogin(money.database.ownerUrl, controlLoginName(money.database.name), randomBytes(16).toString('hex'));
  pool = createControlPool(actor, { connectionString: url, max: 2, applicationName: 'test control' });
  operator = createControlPool(actor, { connectionString: url, max: 2, applicationName: 'test operator', sessionOptions: operatorSession });
  client = createControlClient(url, actor, { applicationName: 'test control' });
  [organizationId, other] = [(await money.newTenant('10')).organizationId, (await money.newTenant('10')).organizationId];
});
afterAll(async () => {
  await client.$disconnect();
  await Promise.all([pool.end(), operator.end()]);
  await money.drop();
});

const lastChange = async () => (await money.sql('SELECT organization_id, actor_kind, actor_id, actor_name, table_name, row_key, change, columns FROM control_change ORDER BY id DESC LIMIT 1'))[0];
const insertProject = 'INSERT INTO project (organization_id, id, name) VALUES ($1, uuidv7(), $2)';

describe('a login of the control plane', () => {
  it('writes rows of the organization that its transaction names, recorded as its actor’s', async () => {
    const { id } = await changeAs(client, organizationId, (db) => db.project.create({ data: { organizationId, id: money.mintId(), name: 'chat' } }));
    expect(await lastChange()).toEqual({ organization_id: organizationId, actor_kind: 'person', actor_id: 'person-7', actor_name: null, table_name: 'project', row_key: { organization_id: organizationId, id }, change: 'insert', columns: [] });
    await changeThrough(pool, organizationId, (db) => db.query('UPDATE project SET name = $3 WHERE organization_id = $1 AND id = $2', [organizationId, id, 'talk']));
    expect(await lastChange()).toMatchObject({ change: 'update', columns: ['name'], actor_id: 'person-7' });
  });

  it.each([
    ['inserts no row of another organization', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query(insertProject, [other, 'theirs']))],
    ['inserts none without an organization', (db: ControlPool) => changeThrough(db, null, (tx) => tx.query(insertProject, [organizationId, 'none']))],
    ['moves none to another organization', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query('UPDATE project SET organization_id = $1', [other]))],
    ['writes no ledger', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query("INSERT INTO ledger_transaction (organization_id, id, kind, source_id) VALUES ($1, uuidv7(), 'gift', 'x')", [organizationId]))],
    ['writes no grant by hand', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query('UPDATE credit_grant SET available = available + 1'))],
    ['writes no usage', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query('DELETE FROM usage'))],
    ['reads no secret of a webhook', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query('SELECT secret FROM webhook_secret'))],
    ['records nothing of its own', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query("INSERT INTO control_change (actor_kind, actor_id, table_name, row_key, change) VALUES ('kt', 'x', 'x', '{}', 'insert')"))],
    ['shifts no clock', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query("UPDATE database_mark SET clock_shift = '1 day'"))],
    ['settles nothing', (db: ControlPool) => changeThrough(db, organizationId, (tx) => tx.query("SELECT settle(gen_random_uuid(), 1, '[]')"))],
    ['changes no published price', (db: ControlPool) => changeThrough(db, null, (tx) => tx.query('UPDATE rate SET amount = 0'))],
  ])('%s, an operator’s neither', async (_name, attempt) => {
    expect(await sqlStateFrom(attempt(pool))).toBe(forbidden);
    expect(await sqlStateFrom(attempt(operator))).toBe(forbidden);
  });

  it('updates and deletes nothing of another organization, even as an operator who sees it', async () => {
    await money.sql("INSERT INTO notice_address VALUES ($1, 'billing@example.com')", [other]);
    const rows = await changeThrough(operator, organizationId, async (db) => [
      (await db.query("UPDATE api_key SET name = 'mine' WHERE organization_id = $1", [other])).rowCount,
      (await db.query('DELETE FROM notice_address')).rowCount,
      (await db.query('SELECT FROM api_key WHERE organization_id = $1', [other])).rowCount! > 0,
    ]);
    expect(rows).toEqual([0, 0, true]);
  });

  it('puts events of the organization that its transaction names, and of no other', async () => {
    const put = (db: ControlPool, of: string) => changeThrough(db, organizationId, (tx) => tx.query("SELECT outbox_put($1, 'key.rolled', gen_random_uuid()::text, '{}')", [of]));
    for (const db of [pool, operator]) {
      expect(await sqlStateFrom(put(db, other))).toBe('KT042');
      expect((await put(db, organizationId)).rowCount).toBe(1);
    }
  });

  it('cannot change anything without naming an actor', async () => {
    const nameless = async (): Promise<void> => {
      const db = await pool.connect();
      try {
        await db.query('BEGIN');
        await db.query("SELECT set_config('kilotoken.organization_id', $1, true)", [organizationId]);
        await db.query(insertProject, [organizationId, 'nobody']);
      } finally {
        await db.query('ROLLBACK');
        db.release();
      }
    };
    expect(await sqlStateFrom(nameless())).toBe('KT040');
  });

  it('reads one organization, and all as an operator', async () => {
    const count = (db: ControlPool) => changeThrough(db, organizationId, async (tx) => Number((await tx.query('SELECT count(DISTINCT id) FROM organization')).rows[0].count));
    expect(await count(pool)).toBe(1);
    expect(await count(operator)).toBeGreaterThan(1);
    expect((await pool.query('SELECT FROM api_key')).rowCount).toBe(0);
  });
});

describe('recorded changes', () => {
  it('hold values of listed columns alone, and of others their names', async () => {
    const [key] = await money.sql<{ id: string }>('SELECT id FROM api_key WHERE organization_id = $1 LIMIT 1', [organizationId]);
    await changeThrough(pool, organizationId, (db) => db.query("UPDATE api_key SET hash = sha256('a-new-secret'), prefix = 'kt_secret' WHERE organization_id = $1 AND id = $2", [organizationId, key!.id]));
    expect(await lastChange()).toMatchObject({ columns: ['hash', 'prefix'] });
    expect(JSON.stringify(await money.sql('SELECT * FROM control_change'))).not.toContain('kt_secret');
  });

  it('name the login, where the owner or a service changed something', async () => {
    await money.sql("UPDATE organization SET name = 'By hand' WHERE id = $1", [organizationId]);
    expect(await lastChange()).toMatchObject({ actor_kind: 'system', actor_id: 'kilotoken_owner', table_name: 'organization', organization_id: organizationId, columns: ['name'] });
  });

  it('say nothing of an update that changed nothing, nor of one that was rolled back', async () => {
    const before = await lastChange();
    await money.sql('UPDATE organization SET name = name WHERE id = $1', [organizationId]);
    await expect(changeThrough(pool, organizationId, async (db) => {
      await db.query(insertProject, [organizationId, 'gone']);
      throw new Error('changed my mind');
    })).rejects.toThrow('changed my mind');
    expect(await lastChange()).toEqual(before);
  });

  it.each(['UPDATE control_change SET actor_id = actor_id', 'DELETE FROM control_change', 'TRUNCATE control_change'])('are never changed: %s', async (statement) => {
    expect(await sqlStateFrom(money.sql(statement))).toBe('KT041');
  });

  it('keep values of every table by a list of its own', async () => {
    const [{ text }] = (await money.sql<{ text: string }>("SELECT prosrc AS text FROM pg_proc WHERE proname = 'control_values'")) as [{ text: string }];
    const tables = await money.sql<{ name: string }>("SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'control_changed' ORDER BY 1");
    // An address for notices is nobody's but a person's.
    const withoutValues = ['notice_address'];
    expect(tables.map(({ name }) => name).filter((name) => !text.includes(`WHEN '${name}' THEN`))).toEqual(withoutValues);
    const columns = [...text.matchAll(/WHEN '(\w+)' THEN ARRAY\[([^\]]*)\]/g)].flatMap(([, table, list]) => [...list!.matchAll(/'(\w+)'/g)].map(([, column]) => `${table}.${column}`));
    expect(columns.length).toBeGreaterThan(100);
    const known = await money.sql<{ name: string }>("SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public'");
    expect(columns.filter((column) => !known.some(({ name }) => name === column))).toEqual([]);
    expect(columns.filter((column) => /(hash|secret|password|email|\.name|url)$/.test(column))).toEqual(['price_book.name']);
  });

  it('are kept of every table that the control plane writes', async () => {
    const unrecorded = await money.sql(`SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND (has_table_privilege('kilotoken_control', c.oid, 'INSERT') OR has_table_privilege('kilotoken_control', c.oid, 'DELETE'))
      AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'control_changed')`);
    expect(unrecorded).toEqual([]);
  });
});
