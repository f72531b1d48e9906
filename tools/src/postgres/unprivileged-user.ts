import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PostgresStartError } from './postgres-error.js';

/**
 * Postgres refuses to run as root. Under root it runs as the system's `postgres` user, created if missing; under any other
 * user it runs as that user.
 */
export interface UnprivilegedUser {
  uid: number;
  gid: number;
}

const USER_NAME = 'postgres';
const COMMAND_MS_MAX = 10_000;

/** Null: Postgres runs as the caller. */
export function findUnprivilegedUser(): UnprivilegedUser | null {
  if (process.getuid?.() !== 0) return null;
  return readUser() ?? createUser();
}

/**
 * Creates the folder, gives it to the user, and proves that the user reaches the folder and the programs. Throws an error
 * that names the first closed folder on the way.
 */
export function prepareFolder(folder: string, user: UnprivilegedUser | null, programs: string[]): void {
  makePassableFolder(dirname(folder));
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
  if (!user) return;
  for (const path of [folder, ...programs]) {
    const closed = findClosedFolder(path, user);
    if (!closed) continue;
    throw new PostgresStartError(
      'folder_closed',
      `Postgres refuses to run as root, so it runs as the user "${USER_NAME}". That user cannot enter ${closed} on the way to ${path}. ` +
        `Open it (chmod o+x ${closed}), or ${path === folder ? 'choose another folder (KILOTOKEN_HOME)' : 'move the checkout to a folder such as /opt/kilotoken'}, ` +
        'or start as an ordinary user, or set DATABASE_URL. Nothing was changed.',
    );
  }
  chownSync(folder, user.uid, user.gid);
}

/** Creates a missing folder with mode 711 whatever the umask: other users may pass through it but not list it. */
export function makePassableFolder(folder: string): void {
  if (existsSync(folder)) return;
  makePassableFolder(dirname(folder));
  mkdirSync(folder);
  chmodSync(folder, 0o711);
}

/** The outermost folder above `path` that is closed to the user. It reads modes, as `open(2)` does. */
function findClosedFolder(path: string, user: UnprivilegedUser): string | null {
  const parent = dirname(path);
  if (parent === path) return null;
  const above = findClosedFolder(parent, user);
  if (above) return above;
  const { uid, gid, mode } = statSync(parent);
  const executeBit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return mode & executeBit ? null : parent;
}

function readUser(): UnprivilegedUser | null {
  try {
    const read = (flag: string) => Number(execFileSync('id', [flag, USER_NAME], { encoding: 'utf8', timeout: COMMAND_MS_MAX, stdio: 'pipe' }));
    return { uid: read('-u'), gid: read('-g') };
  } catch {
    // `id` fails for an unknown user.
    return null;
  }
}

function createUser(): UnprivilegedUser {
  try {
    const shell = existsSync('/usr/sbin/nologin') ? '/usr/sbin/nologin' : '/bin/false';
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', shell, USER_NAME], { timeout: COMMAND_MS_MAX, stdio: 'pipe' });
  } catch (cause) {
    throw new PostgresStartError(
      'no_user',
      `Postgres refuses to run as root, and the user "${USER_NAME}" for it could not be created. Create it (useradd --system ${USER_NAME}), ` +
        'start as an ordinary user, or set DATABASE_URL.',
      cause,
    );
  }
  const user = readUser();
  if (!user) throw new Error(`useradd created the user "${USER_NAME}", but id does not find it.`);
  return user;
}
