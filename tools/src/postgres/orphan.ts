import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identifyProcess, signalProcess, waitForExit, type ProcessIdentity } from '../process-identity.js';
import { readIfThere } from '../atomic-write.js';

/**
 * Postgres outlives a launcher that was killed hard. The next start finds it by `postmaster.pid` and stops it, so that
 * one supervisor owns the server again. It removes a pid file whose pid now belongs to another program.
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

/** The server on this data folder, also one that another process started. */
export function findRunningPostgres(dataDir: string): ProcessIdentity | null {
  const file = readPostmasterFile(dataDir);
  const identity = file && identifyProcess(file.pid);
  return identity && isPostmasterOf(identity.pid, dataDir) ? identity : null;
}

/** Answers whether an orphan ran. */
export async function stopOrphanedPostgres(dataDir: string): Promise<boolean> {
  const orphan = findRunningPostgres(dataDir);
  if (orphan) await stopPostgres(orphan, 'fast');
  return orphan !== null;
}

/** Prepares the folder for a start: no server, no misleading pid file. */
export async function clearDataFolder(dataDir: string): Promise<void> {
  if (await stopOrphanedPostgres(dataDir)) return;
  const file = readPostmasterFile(dataDir);
  // Postgres clears a free pid by itself, but refuses to start where another program now has the pid.
  if (file && identifyProcess(file.pid)) rmSync(join(dataDir, 'postmaster.pid'), { force: true });
}

/** `smart` waits for clients, `fast` disconnects them, `immediate` crashes, and the next start recovers. */
export type StopMode = 'smart' | 'fast' | 'immediate';
const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** Returns when the process is gone. A server that does not stop in time is crashed. */
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
    // The process ended in the meantime.
    return false;
  }
}
