import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import type { Damage } from '../../../test/support/damages/damage.js';
import { damages } from '../../../test/support/damages/index.js';
import { PlantedBooks } from '../../../test/support/planted-books.js';
import { archiveFileChecks } from './archive-file-checks.js';
import { loadArchives } from './archive.flow.js';
import { checks } from './checks.js';
import { describeFinding } from './reconcile.js';
import { proveSnapshot, runReconcile } from './reconcile.flow.js';
import { readSnapshot } from './snapshot.store.js';

/**
 * The catalogue of damage: each kind is planted by the owner, past triggers and keys, in a transaction that is rolled back, and all checks
 * look at it. What must be found is that check's finding with the row that was damaged; others may find it too.
 */
let books: PlantedBooks;
let folder: string;
let db: pg.PoolClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-damage-'));
  books = await PlantedBooks.create(folder);
  db = await books.money.owner.connect();
}, 120_000);
afterAll(async () => {
  db?.release();
  await books?.drop();
  rmSync(folder, { recursive: true });
});

const withIds = (text: string, quote: string): string => text.replace(/\$([A-Za-z_]+)\b(?!\$)/g, (as, name: string) => (name in books.ids ? `${quote}${books.id(name)}${quote}` : as));

const harm = (path: string, bytes: Buffer | null): void => (bytes === null ? rmSync(path) : writeFileSync(path, bytes));

/** Lines of every finding, by check. */
const findingsOf = async ({ sql, file }: Damage): Promise<Record<string, string[]>> => {
  const path = file ? join(folder, `${books.id(file.partition)}.parquet`) : null;
  const whole = path === null ? null : readFileSync(path);
  // Sessions that live beat on, however long the catalogue takes.
  await db.query('BEGIN; SET LOCAL session_replication_role = replica; UPDATE session_heartbeat h SET beat_at = kt_now() FROM session n WHERE n.id = h.session_id AND n.reaped_at IS NULL');
  try {
    await db.query(withIds(sql, "'"));
    if (file) harm(path!, file.harm(whole!));
    const archives = await loadArchives(db, { firstId: null, untilId: null }, {});
    const { checks: results } = await proveSnapshot(await readSnapshot(db, null), archives);
    return Object.fromEntries(results.filter(({ found }) => found > 0).map((check) => [check.name, check.findings.map((finding) => describeFinding(check, finding))]));
  } finally {
    await db.query('ROLLBACK');
    if (file) writeFileSync(path!, whole!);
  }
};

it('books that hold are found to hold', async () => {
  const { checks: results } = await runReconcile(books.money.owner);
  expect(results.flatMap((check) => check.findings.map((finding) => describeFinding(check, finding)))).toEqual([]);
  expect(results.filter(({ checked }) => checked === 0).map(({ name }) => name)).toEqual(['unrolled-rated']);
});

describe('a damage is named with its row:', () => {
  it.each(damages.map((damage) => [damage.what, damage] as const))('%s', async (_, damage) => {
    const found = await findingsOf(damage);
    const names = damage.names.map((name) => withIds(name, ''));
    if (!(found[damage.check] ?? []).some((line) => names.every((name) => line.includes(name)))) expect(found).toEqual({ [damage.check]: [expect.stringContaining(names.join(' … '))] });
  });
});

it('the catalogue has at least 150 kinds of damage, and one for every check', () => {
  expect(new Set(damages.map(({ what }) => what)).size).toBe(damages.length);
  expect(damages.length).toBeGreaterThanOrEqual(150);
  // Postgres' own counters tell of what was committed alone: damage.db.spec.ts.
  const apart = ['append-only'];
  expect([...checks, ...archiveFileChecks].map(({ name }) => name).filter((name) => !apart.includes(name) && !damages.some(({ check }) => check === name))).toEqual([]);
});
