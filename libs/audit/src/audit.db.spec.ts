import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { changeThrough, createControlPool, operatorSession, throughPg, type Actor, type ControlPool } from '@kilotoken/platform';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { audited, listAuditEntries } from './audit.flow.js';
import type { AuditSearch } from './audit.js';

const actor: Actor = { kind: 'person', id: 'person-7', name: 'Ada', act: { action: 'project.create', ip: '203.0.113.7', requestId: 'req-1' } };
const platform = '00000000-0000-0000-0000-000000000000';

let money: MoneyDatabase;
let control: ControlPool;
let operator: ControlPool;
let organizationId: string;
let other: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const connectionString = serviceUrl(money.database.appUrl, 'control');
  control = createControlPool(actor, { connectionString, max: 12, applicationName: 'test control' });
  operator = createControlPool({ kind: 'kt', id: 'root@host', name: null }, { connectionString, max: 2, applicationName: 'test operator', sessionOptions: operatorSession });
});
beforeEach(async () => {
  other = (await money.newTenant('10')).organizationId;
  organizationId = (await money.newTenant('10')).organizationId;
});
afterAll(async () => {
  await Promise.all([control.end(), operator.end()]);
  await money.drop();
});

const find = (search: AuditSearch = {}) => listAuditEntries(throughPg(operator), { organizationId, ...search });
const createProject = (name: string, of = organizationId) =>
  changeThrough(control, of, (db) => db.query('INSERT INTO project (organization_id, id, name) VALUES ($1, uuidv7(), $2) RETURNING id::text', [of, name])).then(({ rows }) => rows[0].id as string);

describe('a change of a table of the control plane', () => {
  it('commits with one entry: actor, action, object, address and request', async () => {
    const id = await createProject('chat');
    const [entry] = await find();
    expect(entry).toMatchObject({ organizationId, actor: { kind: 'person', id: 'person-7' }, action: 'project.create', objectType: 'project', objectId: id, ip: '203.0.113.7', requestId: 'req-1', before: null });
    expect(JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).not.toContain('Ada');
  });

  it('gives the values that it replaced and put, and of a column that may hold a secret its name alone', async () => {
    await changeThrough(operator, organizationId, (db) => db.query("UPDATE organization SET time_zone = 'Europe/Berlin', name = 'Ada Lovelace' WHERE id = $1", [organizationId]));
    const [entry] = await find();
    expect(entry).toMatchObject({ action: 'organization.update', objectId: organizationId, actor: { kind: 'kt', id: 'root@host' } });
    expect(entry!.before).toEqual({ time_zone: 'UTC', name: '(not kept)' });
    expect(entry!.after).toEqual({ time_zone: 'Europe/Berlin', name: '(not kept)' });
  });

  it('of several rows has one entry that names each', async () => {
    const count = (await find()).length;
    await changeThrough(control, organizationId, async (db) => {
      await db.query("INSERT INTO notice_address VALUES ($1, 'ada@example.com')", [organizationId]);
      await db.query("INSERT INTO balance_notice (organization_id, unit, threshold) VALUES ($1, 'USD', 5)", [organizationId]);
    });
    const entries = await find();
    expect(entries).toHaveLength(count + 1);
    expect(entries[0]).toMatchObject({ objectType: 'notice_address', objectId: organizationId });
    expect(entries[0]!.after).toEqual({ 'balance_notice USD': { unit: 'USD', threshold: 5 } });
  });

  it('of two organizations has an entry in each chain, and of none in the platform’s', async () => {
    await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [organizationId, other]);
    const grantId = money.tenant.grantIds[0];
    await changeThrough(control, organizationId, (db) => db.query("SELECT grant_transfer_to($1, $2, $3, gen_random_uuid(), 4, 'pay', 'why')", [organizationId, grantId, other]));
    expect((await find())[0]).toMatchObject({ objectType: 'grant_transfer' });
    expect((await find({ organizationId: other }))[0]).toMatchObject({ objectType: 'credit_grant', after: { source: 'transfer', granted: 4 } });
    await changeThrough(control, null, (db) => db.query("INSERT INTO pack_unit (unit) VALUES ('audit-pack')"));
    expect((await find({ organizationId: platform }))[0]).toMatchObject({ objectType: 'pack_unit', objectId: 'audit-pack' });
  });

  it('that is rolled back has none, and one that an explicit entry explains has that one', async () => {
    const before = await find();
    await expect(changeThrough(control, organizationId, async (db) => {
      await db.query('UPDATE organization SET name = name || 1 WHERE id = $1', [organizationId]);
      await audited(db, { organizationId, action: 'organization.rename', objectType: 'organization' });
      throw new Error('changed my mind');
    })).rejects.toThrow('changed my mind');
    expect(await find()).toEqual(before);
    await changeThrough(control, organizationId, async (db) => {
      await db.query('UPDATE organization SET name = name || 1 WHERE id = $1', [organizationId]);
      await audited(db, { organizationId, action: 'organization.rename', objectType: 'organization', objectId: organizationId, after: { by: 'one' } });
    });
    const after = await find();
    expect(after).toHaveLength(before.length + 1);
    expect(after[0]).toMatchObject({ action: 'organization.rename', after: { by: 'one' } });
  });

  it('by the owner’s hand has one too', async () => {
    await money.sql("UPDATE organization SET status = 'suspended' WHERE id = $1", [organizationId]);
    expect((await find())[0]).toMatchObject({ actor: { kind: 'system', id: 'kilotoken_owner' }, before: { status: 'active' }, after: { status: 'suspended' } });
  });
});

describe('a read', () => {
  it('is entered in the name of the transaction’s actor, and by nobody without one', async () => {
    await changeThrough(control, organizationId, (db) => audited(db, { organizationId, action: 'usage.read', objectType: 'usage', objectId: 'u-1', onBehalfOf: organizationId }));
    expect((await find())[0]).toMatchObject({ actor: { kind: 'person', id: 'person-7' }, action: 'usage.read', onBehalfOf: organizationId, ip: null });
    expect(await sqlStateFrom(control.query("SELECT audit_append('[]')"))).toBe('KT040');
  });

  it('of a service appends nothing: only the control plane may', async () => {
    expect(await sqlStateFrom(money.app.query("SELECT audit_append('[]')"))).toBe('42501');
  });

  it.each([{ action: '' }, { objectType: '' }, { ip: 'not an address' }, { organizationId: 'x' }, { objectId: 'x'.repeat(501) }])('is refused with %j', async (wrong) => {
    const entry = { organizationId, action: 'usage.read', objectType: 'usage', ...wrong };
    await expect(changeThrough(control, organizationId, (db) => audited(db, entry))).rejects.toMatchObject({ code: 'audit_invalid' });
  });
});

describe('the chain', () => {
  const rows = () => money.sql<{ seq: bigint; text: string; previous: string; hash: string }>(
    `SELECT seq, encode(previous_hash, 'hex') AS previous, encode(hash, 'hex') AS hash,
       jsonb_build_array('kilotoken-audit-1', organization_id, seq, (extract(epoch FROM at) * 1000000)::bigint, actor_kind, actor_id, on_behalf_of, action, object_type, object_id, before, after,
         ip, request_id, encode(previous_hash, 'hex'))::text AS text FROM audit_entry WHERE organization_id = $1 ORDER BY seq`, [organizationId]);

  it('has no gap and no branch, however many write at once', async () => {
    await Promise.all(Array.from({ length: 24 }, (_, index) => createProject(`p-${index}`)));
    const chain = await rows();
    expect(chain.map(({ seq }) => seq)).toEqual(chain.map((_, index) => BigInt(index + 1)));
    expect(chain.map(({ previous }) => previous)).toEqual(['0'.repeat(64), ...chain.slice(0, -1).map(({ hash }) => hash)]);
    for (const { text, hash } of chain) expect(createHash('sha256').update(text).digest('hex')).toBe(hash);
  });

  it('is locked by organization, so that two that change the same organizations never wait for each other in a ring', async () => {
    const change = (first: string, second: string) => changeThrough(control, null, (db) => audited(db, { organizationId: first, action: 'a', objectType: 'x' }, { organizationId: second, action: 'b', objectType: 'x' }));
    await Promise.all(Array.from({ length: 24 }, (_, index) => (index % 2 ? change(organizationId, other) : change(other, organizationId))));
    expect(await find({ action: 'a' })).toHaveLength(12);
  });

  it.each(['UPDATE audit_entry SET action = action', 'DELETE FROM audit_entry', 'TRUNCATE audit_entry'])('is only added to, by the owner too: %s', async (statement) => {
    expect(await sqlStateFrom(money.sql(statement))).toBe('KT066');
  });

  it.each(['INSERT INTO audit_entry SELECT * FROM audit_entry', 'UPDATE audit_chain SET seq = 0', 'DELETE FROM audit_chain'])('is beyond a login of the control plane: %s', async (statement) => {
    expect(await sqlStateFrom(changeThrough(control, organizationId, (db) => db.query(statement)))).toBe('42501');
  });
});

describe('a search', () => {
  it('finds by actor, action, object and time, and of one organization alone', async () => {
    const id = await createProject('mine');
    await createProject('theirs', other);
    expect(await find({ objectId: id })).toHaveLength(1);
    expect(await find({ actorId: 'person-7', action: 'project.*', objectType: 'project' })).toHaveLength(1);
    expect(await find({ action: 'project.create' })).toHaveLength(1);
    expect(await find({ action: 'project' })).toEqual([]);
    expect(await find({ actorId: 'person-8' })).toEqual([]);
    const at = (await find({ objectId: id }))[0]!.at;
    expect(await find({ objectId: id, from: at })).toHaveLength(1);
    expect(await find({ objectId: id, until: at })).toEqual([]);
    const mine = await changeThrough(control, organizationId, (db) => listAuditEntries(throughPg(db)));
    expect(new Set(mine.map((entry) => entry.organizationId))).toEqual(new Set([organizationId]));
  });

  it('answers page by page, newest first, each entry once', async () => {
    for (let index = 0; index < 5; index += 1) await createProject(`page-${index}`);
    await changeThrough(control, null, (db) => audited(db, ...Array.from({ length: 4 }, (_, index) => ({ organizationId, action: `same-moment-${index}`, objectType: 'x' }))));
    const all = await find({ limit: 1_000 });
    const pages: typeof all = [];
    for (let page = await find({ limit: 3 }); page.length > 0; page = await find({ limit: 3, after: page.at(-1)!.cursor })) pages.push(...page);
    expect(pages).toEqual(all);
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => BigInt(all.length - index)));
    await expect(find({ after: 'nonsense' })).rejects.toMatchObject({ code: 'audit_invalid' });
  });
});
