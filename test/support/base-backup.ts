import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

/**
 * A base backup of a running Postgres without `pg_basebackup`, as its manual describes it (Continuous Archiving, "Making a Base
 * Backup Using the Low Level API"): the server says where the backup begins and ends, the files are copied meanwhile.
 */

/** What belongs to the running server alone, or comes from the archive. */
const LEFT_OUT = new Set(['postmaster.pid', 'postmaster.opts']);
const CONTENTS_LEFT_OUT = new Set(['pg_wal', 'pg_dynshmem', 'pg_notify', 'pg_replslot', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans']);
const STATEMENT_MS_MAX = 60_000;

export async function takeBaseBackup(ownerUrl: string, dataDir: string, backupDir: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl, statement_timeout: STATEMENT_MS_MAX });
  await client.connect();
  try {
    // The same session must begin and end it.
    await client.query("SELECT pg_backup_start('drill', fast => true)");
    copyFolder(dataDir, backupDir);
    // Waits until the archive has all that the backup needs.
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(wait_for_archive => true)');
    writeOwned(join(backupDir, 'backup_label'), rows[0]!.labelfile, statSync(dataDir));
  } finally {
    await client.end();
  }
}

/** Makes of a backup a data folder that Postgres recovers when it starts. */
export function restoreBackup(backupDir: string, dataDir: string): void {
  copyFolder(backupDir, dataDir);
  writeOwned(join(dataDir, 'recovery.signal'), '', statSync(backupDir));
}

function copyFolder(from: string, to: string): void {
  const folder = statSync(from);
  mkdirSync(to);
  takeOver(to, folder);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (LEFT_OUT.has(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && CONTENTS_LEFT_OUT.has(entry.name)) makeEmpty(source, target);
    else if (entry.isDirectory()) copyFolder(source, target);
    else copyFile(source, target);
  }
}

function makeEmpty(source: string, target: string): void {
  mkdirSync(target);
  takeOver(target, statSync(source));
}

/** A file that goes while it is copied is none that the backup needs: recovery makes what it needs from the archive. */
function copyFile(source: string, target: string): void {
  try {
    const stats = statSync(source);
    copyFileSync(source, target);
    takeOver(target, stats);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function writeOwned(path: string, text: string, owner: Stats): void {
  writeFileSync(path, text, { mode: 0o600 });
  chownSync(path, owner.uid, owner.gid);
}

/** Postgres reads only what is its own. */
function takeOver(path: string, { uid, gid, mode }: Stats): void {
  chownSync(path, uid, gid);
  chmodSync(path, mode & 0o777);
}
