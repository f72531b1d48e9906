import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool, migrateDatabase } from '@kilotoken/platform';
import { guardsFile, listGuards } from '@kilotoken/reconcile';
import { startPostgres } from './postgres/index.js';

/** Writes prisma/guards.txt from a database that is migrated from nothing. Run it with `npm run guards` after a change of prisma/. */
const folder = mkdtempSync(join(tmpdir(), 'kilotoken-guards-'));
// Postgres may run as another user, who passes through it.
chmodSync(folder, 0o711);
const server = await startPostgres({ dataDir: join(folder, 'postgres'), superuserPassword: 'guards' });
try {
  const connectionString = server.databaseUrl('postgres');
  await migrateDatabase(connectionString);
  const pool = createPool({ connectionString, max: 1, applicationName: 'kilotoken-guards' });
  const lines = await listGuards(pool);
  await pool.end();
  writeFileSync(guardsFile, `# What guards the books, a line each: kind, object, name, definition. Made by npm run guards; reconcile compares databases with it.\n${lines.join('\n')}\n`);
} finally {
  await server.stop('fast');
  rmSync(folder, { recursive: true });
}
