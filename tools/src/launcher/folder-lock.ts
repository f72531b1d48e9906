import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { identifySelf, isAlive } from '../process-identity.js';
import { LauncherError } from './launcher-error.js';

/**
 * Lets one launcher at a time use a folder. A lock is a numbered file that names its holder. The highest number is in force
 * while its holder lives, so a killed launcher holds nothing. A launcher that finds the holder dead creates the next number,
 * which only one can do. The highest number is never deleted, so numbers only grow.
 */

const holderSchema = z.object({ pid: z.number().int().positive(), startedAt: z.string(), since: z.string() });
const TAKEOVERS_MAX = 100;

export function takeFolderLock(folder: string): void {
  for (let attempt = 0; attempt < TAKEOVERS_MAX; attempt += 1) {
    const held = findNumbers(folder);
    const highest = held.at(-1);
    if (highest !== undefined) refuseIfAlive(folder, highest);
    if (claim(folder, (highest ?? 0) + 1)) {
      for (const number of held) rmSync(lockFile(folder, number), { force: true });
      return;
    }
  }
  throw new LauncherError(`${folder} could not be locked: other launchers keep locking it.`);
}

function refuseIfAlive(folder: string, number: number): void {
  const holder = readHolder(lockFile(folder, number));
  if (!holder || !isAlive(holder)) return;
  const { pid, since } = holder;
  throw new LauncherError(
    `Kilotoken already runs on ${folder} (process ${pid}, since ${since}); quickstart.json there has its addresses. ` +
      `Stop it first (Ctrl-C in its terminal, or kill ${pid}), or start a second one with its own folder and ports: KILOTOKEN_HOME=<folder> npm start`,
  );
}

function readHolder(file: string): z.infer<typeof holderSchema> | null {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // The holder of a higher number deleted it, which the next attempt finds; or a power cut emptied it, and nobody holds it.
    return null;
  }
}

/** A link appears with its contents, and fails if the name is there: of several claimants one succeeds. */
function claim(folder: string, number: number): boolean {
  const unfinished = join(folder, `launcher.${process.pid}.new`);
  writeFileSync(unfinished, JSON.stringify({ ...identifySelf(), since: new Date().toISOString() }), { mode: 0o600 });
  try {
    linkSync(unfinished, lockFile(folder, number));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function findNumbers(folder: string): number[] {
  const names = readdirSync(folder).map((name) => /^launcher\.(\d+)\.lock$/.exec(name)?.[1]);
  return names.flatMap((digits) => (digits ? [Number(digits)] : [])).sort((a, b) => a - b);
}

const lockFile = (folder: string, number: number): string => join(folder, `launcher.${number}.lock`);
