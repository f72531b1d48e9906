// One run of Jest has one folder for what its tests share. It is plain JavaScript because Jest loads its global hooks
// without the transform of the tests, and it only removes what the tests started: nothing is started here.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'kilotoken-test-';
const STOP_MS_MAX = 10_000;
const ABANDONED_MS = 60 * 60_000;

/** The environment variable through which tests find the folder. */
export const RUN_FOLDER_VARIABLE = 'KILOTOKEN_TEST_RUN';

export function createRunFolder() {
  const folder = mkdtempSync(join(tmpdir(), PREFIX));
  // Postgres runs as another user when the tests run as root, and must be able to pass through.
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'jest.json'), JSON.stringify(identify(process.pid)));
  return folder;
}

/** Removes what runs left behind that were killed before their teardown. */
export function sweepDeadRuns() {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = join(tmpdir(), name);
    const owner = readIdentity(join(folder, 'jest.json'));
    // A folder without its owner's name is being made at this moment, or was removed in part.
    if (owner ? !isSame(owner) : Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > ABANDONED_MS) removeRunFolder(folder);
  }
}

/**
 * Kills every process that has a `*.process.json` in the folder (all are Postgres servers whose data nobody needs), waits
 * until they are gone and deletes the folder. Synchronous, so that it also runs while the process exits.
 */
export function removeRunFolder(folder) {
  if (!existsSync(folder)) return;
  const files = readdirSync(folder).filter((name) => name.endsWith('.process.json'));
  const servers = files.map((name) => readIdentity(join(folder, name))).filter((server) => server && isSame(server));
  for (const { pid } of servers) process.kill(pid, 'SIGQUIT');
  const deadline = performance.now() + STOP_MS_MAX;
  while (servers.some(isSame) && performance.now() < deadline) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function readIdentity(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Absent, or its writer was killed before it was whole: then there is nothing that we may signal.
    return null;
  }
}

function isSame({ pid, startedAt }) {
  return identify(pid).startedAt === startedAt;
}

/** As `tools/src/process-identity.ts`, which cannot be loaded before it is built. */
function identify(pid) {
  try {
    if (process.platform !== 'linux') {
      const output = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
      const [state, ...start] = output.trim().split(/\s+/);
      return { pid, startedAt: state.startsWith('Z') ? null : start.join(' ') };
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { pid, startedAt: fields[0] === 'Z' ? null : `${bootId}/${fields[19]}` };
  } catch {
    return { pid, startedAt: null };
  }
}
