import { spawn } from 'node:child_process';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresBinaries } from './binaries.js';
import { explainOutput, PostgresStartError } from './postgres-error.js';
import { prepareFolder, type UnprivilegedUser } from './unprivileged-user.js';

export const SUPERUSER = 'kilotoken_owner';
const MAJOR_VERSION = '18';
const INITDB_MS_MAX = 120_000;

/** Creates the data folder unless it exists. It appears whole: `initdb` works beside it, and a rename puts the result in place. */
export async function ensureDataFolder(
  dataDir: string,
  superuserPassword: string,
  binaries: PostgresBinaries,
  user: UnprivilegedUser | null,
): Promise<void> {
  prepareFolder(dataDir, user, [binaries.postgres]);
  const versionFile = join(dataDir, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const version = readFileSync(versionFile, 'utf8').trim();
    if (version === MAJOR_VERSION) return;
    throw new PostgresStartError(
      'other_version',
      `${dataDir} holds the data of Postgres ${version}, and this version of Kilotoken brings Postgres ${MAJOR_VERSION}. ` +
        'Move the data with pg_upgrade or a dump, or choose another folder (KILOTOKEN_HOME). Nothing was changed.',
    );
  }
  const unfinished = `${dataDir}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  prepareFolder(unfinished, user, []);
  const passwordFile = `${dataDir}.password`;
  writeFileSync(passwordFile, `${superuserPassword}\n`, { mode: 0o600 });
  if (user) chownSync(passwordFile, user.uid, user.gid);
  try {
    await runInitdb(unfinished, passwordFile, binaries, user);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  // The rename replaces an empty folder and fails on any other, as it must.
  renameSync(unfinished, dataDir);
}

async function runInitdb(folder: string, passwordFile: string, binaries: PostgresBinaries, user: UnprivilegedUser | null): Promise<void> {
  const child = spawn(
    binaries.initdb,
    [
      `--pgdata=${folder}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // Postgres' own collation sorts alike on every machine; the C library's does not.
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: postgresEnvironment(), cwd: folder, timeout: INITDB_MS_MAX, killSignal: 'SIGKILL', ...user },
  );
  let output = '';
  const collect = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4_000));
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw explainOutput(`initdb could not create the database folder ${folder}`, output.trim());
}

/** An environment without the caller's variables (PGDATA, PGPORT, LC_ALL, …), which would change the server. */
export function postgresEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...extra };
}
