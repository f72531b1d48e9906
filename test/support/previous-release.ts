import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AppName } from './cluster-process.js';

/**
 * The release before this one, built into a folder of its own from the repository's history, with the packages that are
 * installed here: to run beside this release on one database.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Its tag or, in a clone without tags, its commit. */
export const previousVersion = '0.3.0';
const NAMES = [`v${previousVersion}`, '1d667a64284ebef040ce85fdf8f3bfc755da832e'];
const COMMAND_MS_MAX = 60_000;

/** Null in a clone whose history does not go back so far. */
const findPrevious = (): string | null => NAMES.find(isCommit) ?? null;

export const hasPreviousRelease = (): boolean => findPrevious() !== null;

function isCommit(name: string): boolean {
  try {
    git('cat-file', '-e', `${name}^{commit}`);
    return true;
  } catch {
    // No repository, no git, or not that far back: all the same to whoever asks.
    return false;
  }
}

/** The files that make its database; options of `migrateDatabase`. */
export interface DatabaseFiles {
  migrationsFolder: string;
  definitionsFolder: string;
}

export interface BuiltRelease {
  appsFolder: string;
  database: DatabaseFiles;
}

export function unpackPreviousDatabase(folder: string): DatabaseFiles {
  unpack(folder, ['prisma']);
  return databaseFilesIn(folder);
}

const databaseFilesIn = (folder: string): DatabaseFiles => ({ migrationsFolder: join(folder, 'prisma/migrations'), definitionsFolder: join(folder, 'prisma') });

function unpack(folder: string, paths: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'release.tar');
  const previous = findPrevious();
  if (previous === null) throw new Error('this clone does not have the previous release');
  git('archive', '--output', archive, previous, ...paths);
  run('tar', ['xf', archive, '-C', folder], folder);
}

/** Builds the named apps, and all libraries. */
export function buildPreviousRelease(folder: string, apps: readonly AppName[]): BuiltRelease {
  unpack(folder, ['apps', 'libs', 'prisma', 'package.json', '.swcrc']);
  linkPackages(folder);
  const libraries = readdirSync(join(folder, 'libs')).map((library) => `libs/${library}`);
  for (const project of [...libraries, ...apps.map((app) => `apps/${app}`)]) {
    run(process.execPath, [join(ROOT, 'node_modules/@swc/cli/bin/swc.js'), 'src', '-d', 'dist', '--strip-leading-paths', '--config-file', '../../.swcrc', '--ignore', '**/*.spec.ts', '-q'], join(folder, project));
  }
  return { appsFolder: join(folder, 'apps'), database: databaseFilesIn(folder) };
}

/** Its own libraries under their names, and everybody else's as they are installed. */
function linkPackages(folder: string): void {
  const [installed, linked] = [join(ROOT, 'node_modules'), join(folder, 'node_modules')];
  mkdirSync(join(linked, '@kilotoken'), { recursive: true });
  for (const name of readdirSync(installed)) {
    if (name !== '@kilotoken' && name !== '.bin') symlinkSync(join(installed, name), join(linked, name));
  }
  for (const library of readdirSync(join(folder, 'libs'))) {
    if (existsSync(join(folder, 'libs', library, 'package.json'))) symlinkSync(join(folder, 'libs', library), join(linked, '@kilotoken', library));
  }
}

const git = (...words: string[]): void => run('git', words, ROOT);

function run(command: string, words: string[], cwd: string): void {
  execFileSync(command, words, { cwd, timeout: COMMAND_MS_MAX, stdio: 'pipe' });
}
