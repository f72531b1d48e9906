import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createPool, migrateDatabase } from '@kilotoken/platform';
import { createPrisma } from '@kilotoken/platform/prisma';
import { createEmptyDatabase } from '../../../test/support/postgres.js';
import { verifyChains } from './chain.flow.js';

const migrations = join(import.meta.dirname, '../../../prisma/migrations');
const firstRelease = ['20261122000000_spine', '20261122000100_money_functions'];

test('what was posted before there were chains is chained by the migration, and what comes after goes on from there', async () => {
  const database = await createEmptyDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'kilotoken-migrations-'));
  const pool = createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' });
  const prisma = createPrisma(database.ownerUrl, { applicationName: 'test' });
  try {
    for (const name of firstRelease) cpSync(join(migrations, name), join(folder, name), { recursive: true });
    await migrateDatabase(database.ownerUrl, { migrationsFolder: folder });
    const postings = JSON.stringify([{ account: 'cash_clearing', unit: 'USD', amount: '1' }, { account: 'grant_liability', unit: 'USD', amount: '-1' }]);
    const post = (from: number, upTo: number) =>
      pool.query(
        "SELECT ledger_post(o, 'test', n::text, $1) FROM unnest(ARRAY['01890000-0000-7000-8000-000000000001', '01890000-0000-7000-8000-000000000002']::uuid[]) o, generate_series($2::int, $3::int) n",
        [postings, from, upTo],
      );
    await post(1, 5);
    await migrateDatabase(database.ownerUrl);
    expect(await verifyChains(prisma)).toEqual({ organizations: 2, links: 10n, breaks: [] });
    await pool.query("INSERT INTO ledger_rule VALUES ('test', 'cash_clearing', 'debit'), ('test', 'grant_liability', 'credit')");
    // The same sources again are not posted twice.
    await post(4, 7);
    expect(await verifyChains(prisma)).toEqual({ organizations: 2, links: 14n, breaks: [] });
  } finally {
    await prisma.$disconnect();
    await pool.end();
    await database.drop();
    rmSync(folder, { recursive: true });
  }
});
