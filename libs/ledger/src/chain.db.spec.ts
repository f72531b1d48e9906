import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createPrisma, type PrismaClient } from '@kilotoken/platform/prisma';
import { createHash } from 'node:crypto';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { describeBreak } from './chain.js';
import { verifyChains } from './chain.flow.js';

let money: MoneyDatabase;
let prisma: PrismaClient;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  prisma = createPrisma(money.database.ownerUrl, { applicationName: 'test' });
  await money.sql(`INSERT INTO ledger_rule SELECT kind, account, 'both' FROM unnest(ARRAY['test', 'te"st', 'many']) AS kind, unnest(ARRAY['cash_clearing', 'grant_liability', 'rounding']) AS account`);
});
beforeEach(async () => {
  await money.newTenant('10');
});
afterAll(async () => {
  await prisma.$disconnect();
  await money.drop();
});

const post = (source: string, amount = '1') =>
  money.sql('SELECT ledger_post($1, $2, $3, $4)', [money.tenant.organizationId, 'test', source, JSON.stringify([
    { account: 'cash_clearing', unit: 'USD', amount }, { account: 'grant_liability', unit: 'USD', amount: `-${amount}` },
  ])]);

/** What a rater posts of one use by each organization. */
const rate = (organizations: string[]) =>
  money.app.query("SELECT rating_post(uuidv7(), '[]', '[]', $1, '[]')", [
    JSON.stringify(organizations.map((organization) => ({ organization, unit: 'USD', rated: '3', charge: '2', cost: '1', cost_currency: 'EUR' }))),
  ]);

interface Link {
  id: string;
  position: bigint;
  previous: string;
  hash: string;
}
const links = () => money.sql<Link>("SELECT id, position, encode(previous_hash, 'hex') AS previous, encode(hash, 'hex') AS hash FROM ledger_transaction WHERE organization_id = $1 ORDER BY position", [money.tenant.organizationId]);

/** As somebody does who may disable the triggers. */
const tamper = (sql: string, values: unknown[] = []) =>
  money.owner.connect().then(async (client) => {
    try {
      await client.query('SET session_replication_role = replica');
      await client.query(sql, values);
    } finally {
      await client.query('RESET session_replication_role');
      client.release();
    }
  });

const breakOfTenant = async () => (await verifyChains(prisma)).breaks.find(({ organizationId }) => organizationId === money.tenant.organizationId);

describe('a chain', () => {
  test('links every transaction to the one before it, whichever function posts', async () => {
    await post('a');
    await rate([money.tenant.organizationId]);
    await post('b');
    const chain = await links();
    expect(chain.map(({ position }) => position)).toEqual([1n, 2n, 3n, 4n]);
    expect(chain.map(({ previous }) => previous)).toEqual(['0'.repeat(64), ...chain.slice(0, -1).map(({ hash }) => hash)]);
    const [head] = await money.sql<{ position: bigint; hash: string }>("SELECT position, encode(hash, 'hex') AS hash FROM ledger_chain WHERE organization_id = $1", [money.tenant.organizationId]);
    expect(head).toEqual({ position: 4n, hash: chain[3]!.hash });
    expect(await breakOfTenant()).toBeUndefined();
  });

  test('hashes the text that is documented', async () => {
    await money.sql('SELECT ledger_post($1, $2, $3, $4)', [money.tenant.organizationId, 'te"st', 'line\nend', JSON.stringify([
      { account: 'cash_clearing', unit: 'USD', amount: '0.5' }, { account: 'rounding', unit: 'USD', amount: '0' }, { account: 'grant_liability', unit: 'USD', amount: '-0.5' },
    ])]);
    const link = (await links())[1]!;
    const [{ micros }] = await money.sql<{ micros: string }>('SELECT (extract(epoch FROM posted_at) * 1000000)::bigint::text AS micros FROM ledger_transaction WHERE id = $1', [link.id]) as [{ micros: string }];
    const text = ['kilotoken-ledger-1', money.tenant.organizationId, '2', link.id, '"te\\"st"', '"line\\nend"', micros,
      '1 "cash_clearing" "USD" 0.500000000000', '2 "grant_liability" "USD" -0.500000000000', link.previous].join('\n');
    expect(createHash('sha256').update(text).digest('hex')).toBe(link.hash);
  });

  test('has no gap and no branch, however many post at once', async () => {
    const first = money.tenant.organizationId;
    const second = (await money.newTenant('10')).organizationId;
    const both = [[first, second], [second, first]];
    await Promise.all(Array.from({ length: 40 }, (_, index) => (index % 2 ? rate(both[(index >> 1) % 2]!) : post(`source-${index}`))));
    expect((await links()).map(({ position }) => position)).toEqual(Array.from({ length: 41 }, (_, index) => BigInt(index + 1)));
    expect((await verifyChains(prisma)).breaks).toEqual([]);
  });

  test('has one transaction for what several post at once under one source', async () => {
    const posted = await Promise.all(Array.from({ length: 8 }, () => post('same')));
    expect(posted.map(([row]) => (row as { ledger_post: boolean }).ledger_post).filter(Boolean)).toHaveLength(1);
    expect(await links()).toHaveLength(2);
  });

  test('is verified over more links than one statement reads', async () => {
    const postings = JSON.stringify([{ account: 'cash_clearing', unit: 'USD', amount: '1' }, { account: 'grant_liability', unit: 'USD', amount: '-1' }]);
    for (let from = 1; from <= 5_001; from += 500) {
      await money.sql("SELECT ledger_post($1, 'many', n::text, $2) FROM generate_series($3::int, $4::int) AS n", [money.tenant.organizationId, postings, from, Math.min(from + 499, 5_001)]);
    }
    expect(await breakOfTenant()).toBeUndefined();
    const { id } = (await links())[5_001]!;
    await tamper('UPDATE ledger_posting SET amount = amount * 2 WHERE transaction_id = $1', [id]);
    expect(await breakOfTenant()).toMatchObject({ position: 5_002n, transactionId: id, problem: 'changed' });
  });
});

describe('the ledger', () => {
  test.each(['UPDATE ledger_transaction SET kind = kind', 'DELETE FROM ledger_transaction', 'UPDATE ledger_posting SET amount = amount', 'DELETE FROM ledger_posting', 'TRUNCATE ledger_posting, ledger_transaction'])(
    'refuses its owner: %s',
    async (statement) => {
      expect(await sqlStateFrom(money.sql(statement))).toBe('KT020');
    },
  );

  test('refuses a transaction without postings and one that does not sum to zero', async () => {
    const call = (postings: object[]) => sqlStateFrom(money.sql('SELECT ledger_post($1, $2, $3, $4)', [money.tenant.organizationId, 'test', 'x', JSON.stringify(postings)]));
    expect(await call([])).toBe('KT010');
    expect(await call([{ account: 'a', unit: 'USD', amount: '1' }, { account: 'b', unit: 'EUR', amount: '-1' }])).toBe('KT010');
    expect(await links()).toHaveLength(1);
  });
});

describe('whoever changes it all the same is found', () => {
  const damage: [string, (link: Link) => [string, unknown[]], object][] = [
    ['an amount and its counterpart', ({ id }) => ['UPDATE ledger_posting SET amount = amount * 2 WHERE transaction_id = $1', [id]], { position: 3n, problem: 'changed' }],
    ['an account', ({ id }) => ["UPDATE ledger_posting SET account = 'breakage_revenue' WHERE transaction_id = $1 AND line = 2", [id]], { position: 3n, problem: 'changed' }],
    ['a source', ({ id }) => ["UPDATE ledger_transaction SET source_id = 'another' WHERE id = $1", [id]], { position: 3n, problem: 'changed' }],
    ['when it was posted', ({ id }) => ["UPDATE ledger_transaction SET posted_at = posted_at - interval '1 microsecond' WHERE id = $1", [id]], { position: 3n, problem: 'changed' }],
    ['two more postings', ({ id }) => ["INSERT INTO ledger_posting SELECT organization_id, transaction_id, line + 2, account, unit, amount FROM ledger_posting WHERE transaction_id = $1", [id]], { position: 3n, problem: 'changed' }],
    ['its postings deleted', ({ id }) => ['DELETE FROM ledger_posting WHERE transaction_id = $1', [id]], { position: 3n, problem: 'changed' }],
    ['all of it deleted', ({ id }) => ['WITH gone AS (DELETE FROM ledger_posting WHERE transaction_id = $1) DELETE FROM ledger_transaction WHERE id = $1', [id]], { position: 3n, problem: 'missing', transactionId: null }],
    ['its hash made anew', ({ id }) => ["UPDATE ledger_transaction SET hash = sha256('x') WHERE id = $1", [id]], { position: 3n, problem: 'changed' }],
    ['the end deleted', ({ id }) => ['DELETE FROM ledger_transaction WHERE organization_id = (SELECT organization_id FROM ledger_transaction WHERE id = $1) AND position >= 4', [id]], { position: 4n, problem: 'missing' }],
    ['the end deleted and the head moved', ({ id, hash }) => [
      `WITH gone AS (DELETE FROM ledger_transaction WHERE organization_id = (SELECT organization_id FROM ledger_transaction WHERE id = $1) AND position >= 4 RETURNING *)
       UPDATE ledger_chain c SET position = 3 FROM gone WHERE c.organization_id = gone.organization_id AND $2 <> ''`, [id, hash]], { position: 3n, problem: 'head' }],
    ['the head deleted', ({ id }) => ['DELETE FROM ledger_chain WHERE organization_id = (SELECT organization_id FROM ledger_transaction WHERE id = $1)', [id]], { position: 5n, problem: 'head' }],
  ];
  test.each(damage)('%s', async (_name, change, found) => {
    for (const source of ['a', 'b', 'c', 'd']) await post(source);
    const link = (await links())[2]!;
    await tamper(...change(link));
    const broken = (await breakOfTenant())!;
    expect(broken).toMatchObject(found);
    expect(describeBreak(broken)).toContain(`position ${broken.position}`);
  });

  test('a transaction that was replaced with all its hashes, by the one behind it', async () => {
    for (const source of ['a', 'b', 'c']) await post(source);
    const link = (await links())[2]!;
    await tamper('UPDATE ledger_posting SET amount = amount * 2 WHERE transaction_id = $1', [link.id]);
    await tamper(
      `UPDATE ledger_transaction t SET hash = ledger_hash(organization_id, position, id, kind, source_id, posted_at,
         (SELECT string_agg(ledger_line(line, account, unit, amount), E'\\n' ORDER BY line) FROM ledger_posting WHERE transaction_id = t.id), previous_hash) WHERE id = $1`,
      [link.id],
    );
    expect(await breakOfTenant()).toMatchObject({ position: 4n, problem: 'relinked' });
  });
});
