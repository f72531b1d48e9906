import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identifyProcess, signalProcess, waitForExit, type ProcessIdentity } from '../process-identity.js';
import { readIfThere } from '../atomic-write.js';

/**
 * Postgres outlives a launcher that was killed hard. The next start finds it by `postmaster.pid` and stops it, so that
 * one supervisor owns the server again; a pid file whose pid now means another program is removed.
 */

const FAST_STOP_MS_MAX = 15_000;
const IMMEDIATE_STOP_MS_MAX = 10_000;

export interface PostmasterFile {
  pid: number;
  port: number;
  ready: boolean;
}

/** Lines by number: https://www.postgresql.org/docs/18/storage-file-layout.html and `pidfile.h`. Null: no server. */
export function readPostmasterFile(dataDir: string): PostmasterFile | null {
  const lines = readIfThere(join(dataDir, 'postmaster.pid'))?.split('\n') ?? [];
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
}

/** The server that runs on this data folder, whoever started it. */
export function findRunningPostgres(dataDir: string): ProcessIdentity | null {
  const file = readPostmasterFile(dataDir);
  const identity = file && identifyProcess(file.pid);
  return identity && isPostmasterOf(identity.pid, dataDir) ? identity : null;
}

/** Whether there was one. */
export async function stopOrphanedPostgres(dataDir: string): Promise<boolean> {
  const orphan = findRunningPostgres(dataDir);
  if (orphan) await stopPostgres(orphan, 'fast');
  return orphan !== null;
}

/** Makes the folder ready for a start. */
export async function clearDataFolder(dataDir: string): Promise<void> {
  if (await stopOrphanedPostgres(dataDir)) return;
  const file = readPostmasterFile(dataDir);
  // A pid that is free Postgres clears by itself; one that another program has now makes it refuse to start.
  if (file && identifyProcess(file.pid)) rmSync(join(dataDir, 'postmaster.pid'), { force: true });
}

/** `smart` waits for clients, `fast` ends them, `immediate` is a crash that the next start recovers from. */
export type StopMode = 'smart' | 'fast' | 'immediate';
const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** Ends with the process gone; a server that does not obey in time is stopped as a crash would. */
export async function stopPostgres(identity: ProcessIdentity, mode: StopMode, timeoutMs = FAST_STOP_MS_MAX): Promise<void> {
  signalProcess(identity, STOP_SIGNALS[mode]);
  if (await waitForExit(identity, timeoutMs)) return;
  signalProcess(identity, 'SIGQUIT');
  if (await waitForExit(identity, IMMEDIATE_STOP_MS_MAX)) return;
  signalProcess(identity, 'SIGKILL');
  await waitForExit(identity, IMMEDIATE_STOP_MS_MAX);
}

function isPostmasterOf(pid: number, dataDir: string): boolean {
  try {
    const command =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 });
    return command.includes('postgres') && command.includes(`-D ${realpathSync(dataDir)} `);
  } catch {
    // The process ended while it was looked at.
    return false;
  }
}
