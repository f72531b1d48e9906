import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { MoneyDatabase, sqlStateFrom } from '../../../../test/support/money-database.js';
import { serviceUrl } from '../../../../test/support/postgres.js';
import { childOf, fillTenant, keyOf, listTenantTables } from '../../../../test/support/tenant-tables.js';
import { changeThrough } from './actor.js';
import { createPool, inTransaction, type Db } from './database.js';
import { readAs, readAsStaff } from './read.js';

/** I8 for the api: every tenant's table, as it reads for an organization, for a parent with a child, and for staff. */

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

describe('the api', () => {
  let api: pg.Pool;
  beforeAll(() => {
    api = createPool({ connectionString: serviceUrl(money.database.appUrl, 'api'), max: 2, applicationName: 'test api' });
  });
  afterAll(() => api.end());

  const readableBy = (role: string): Promise<string[]> =>
    names(`SELECT relname AS name FROM pg_class WHERE relname = ANY ($2) AND relnamespace = 'public'::regnamespace AND has_any_column_privilege($1, oid, 'SELECT') ORDER BY 1`, [role, tenantTables]);
  const count = async (db: Db, table: string, of: readonly string[] | null): Promise<number> =>
    Number((await db.query(`SELECT count(*) AS count FROM ${table} WHERE $1::uuid[] IS NULL OR ${keyOf(table)} = ANY ($1)`, [of])).rows[0].count);

  it('reads its own organization, its own and a child, or nothing, as its transaction says; never a foreign one', async () => {
    const [mine, theirs] = organizations;
    const tables = await readableBy('kilotoken_api');
    expect(tables.length).toBeGreaterThan(25);
    for (const table of tables) {
      for (const organizationIds of [[mine], [mine, childOf(mine)], [childOf(mine)], []]) {
        const seen = await readAs(api, { organizationIds }, async (db) => [await count(db, table, null), await count(db, table, [theirs, childOf(theirs)])]);
        expect([table, organizationIds, ...seen]).toEqual([table, organizationIds, await count(money.owner, table, organizationIds), 0]);
      }
      expect([table, await count(money.owner, table, [mine])]).not.toEqual([table, 0]);
    }
  });

  it('sees the people of the organizations that it reads, and no others', async () => {
    const people = (organizationIds: string[]) => readAs(api, { organizationIds }, async (db) => (await db.query('SELECT FROM person')).rowCount);
    expect([await people([organizations[0]]), await people([childOf(organizations[0])]), await people([])]).toEqual([1, 0, 0]);
  });

  it('writes the rows of the organization that its transaction names, with an actor, and of no other that it may read', async () => {
    const [mine, theirs] = organizations;
    const pool = Object.assign(api, { actor: { kind: 'person', id: 'p', name: null } as const });
    const tables = (await readableBy('kilotoken_api')).filter((table) => ['project', 'api_key', 'usage_limit', 'membership', 'notice_address', 'webhook_endpoint', 'service_token'].includes(table));
    expect(tables).toHaveLength(7);
    for (const table of tables) {
      const change = table === 'membership' ? 'created_at = now()' : table === 'usage_limit' ? 'amount = amount + 1' : table === 'notice_address' ? "email = 'a@example.com'" : table === 'webhook_endpoint' ? "description = 'x'" : "name = 'renamed'";
      const changed = await changeThrough(pool, mine, async (db) => {
        await db.query("SELECT set_config('kilotoken.organization_ids', $1, true)", [`${mine},${theirs}`]);
        return (await db.query(`UPDATE ${table} SET ${change}`)).rowCount;
      });
      expect([table, changed]).toEqual([table, await count(money.owner, table, [mine])]);
    }
    expect(await sqlStateFrom(inTransaction(api, async (db) => {
      await db.query("SELECT set_config('kilotoken.organization_id', $1, true)", [mine]);
      await db.query("UPDATE project SET name = 'by nobody'");
    }))).toBe('KT040');
  });

  it.each([['a list of organizations', (read: (db: pg.PoolClient) => Promise<unknown>) => readAs(api, { organizationIds: [organizations[0]] }, read)], ['staff', (read: (db: pg.PoolClient) => Promise<unknown>) => readAsStaff(api, read)]])(
    'writes nothing while it reads as %s',
    async (_name, reading) => {
      expect(await sqlStateFrom(reading((db) => db.query("UPDATE project SET name = 'x'")))).toMatch(/^(25006|42501)$/);
    },
  );

  it('reads every organization as staff, and none again afterwards', async () => {
    for (const table of await readableBy('kilotoken_staff')) {
      expect([table, await readAsStaff(api, (db) => count(db, table, null))]).toEqual([table, await count(money.owner, table, null)]);
    }
    expect(await count(api, 'organization', null)).toBe(0);
    expect((await api.query('SELECT current_user::text AS name')).rows[0].name).not.toBe('kilotoken_staff');
  });
});

describe('an account tree', () => {
  it('has the root of its parent at every depth, eight levels at most, and keeps its shape', async () => {
    const [root] = organizations;
    const below = async (parent: string, id = money.mintId()): Promise<string> => {
      await money.sql("INSERT INTO organization (id, name, slug, account_root_id, price_book_id, parent_id) SELECT $2::uuid, 'Below', 'below-' || $2::uuid, $2::uuid, price_book_id, $1 FROM organization WHERE id = $1", [parent, id]);
      return id;
    };
    let parent: string = root;
    for (let level = 2; level <= 8; level++) parent = await below(parent);
    expect(await names('SELECT account_root_id::text AS name FROM organization WHERE id = $1', [parent])).toEqual([root]);
    expect(await sqlStateFrom(below(parent))).toBe('KT052');
    expect(await sqlStateFrom(money.sql('UPDATE organization SET parent_id = $2 WHERE id = $1', [parent, root]))).toBe('KT052');
    const [found] = await money.sql<{ ids: string[] }>('SELECT organization_descendants($1) AS ids', [root]);
    expect(found!.ids).toHaveLength(8);
    expect(found!.ids).toEqual(expect.arrayContaining([parent, childOf(root)]));
  });
});
