import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { identifyProcess, isAlive, signalProcess, waitForExit, type ProcessIdentity } from '../process-identity.js';
import { writeAtomically } from '../atomic-write.js';
import type { Home } from './home.js';
import { LauncherError } from './launcher-error.js';
import type { Service, ServiceProcess } from './supervisor.js';

/** One of our apps as a child process in its own session, so that Ctrl-C reaches only the launcher, which stops the apps in order. */
export interface AppSpec {
  name: string;
  nodeFlags: readonly string[];
  environment: Record<string, string | undefined>;
  /** The origin that serves `/readyz`. */
  origin: string;
}

export interface AppProcess extends ServiceProcess {
  /** The output of this process, for when it dies before it can log. */
  readOutput(): string;
}

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const READY_MS_MAX = 180_000;
const READY_POLL_MS = 100;
const READY_REQUEST_MS_MAX = 3_000;
const OUTPUT_CHARACTERS_MAX = 2_000;
/** An orphan gets little time to drain, so that a start takes seconds. */
const ORPHAN_DRAIN_MS_MAX = 5_000;
const KILL_MS_MAX = 5_000;

export function createAppService(spec: AppSpec, home: Home): Service<AppProcess> {
  return {
    name: spec.name,
    start: async () => startApp(spec, home),
    waitUntilReady: (process, signal) => waitUntilReady(spec, home, process, signal),
  };
}

async function startApp(spec: AppSpec, home: Home): Promise<AppProcess> {
  const outputFile = join(home.logs, `${spec.name}.out`);
  const output = openSync(outputFile, 'a', 0o600);
  const outputStart = fstatSync(output).size;
  const child = spawn(process.execPath, [...spec.nodeFlags, join(REPOSITORY, 'apps', spec.name, 'dist', 'main.js')], {
    cwd: REPOSITORY,
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...spec.environment, LOG_FILE: join(home.logs, `${spec.name}.log`) },
  });
  closeSync(output);
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  const identity = child.pid === undefined ? null : identifyProcess(child.pid);
  if (!identity) throw new LauncherError(`${spec.name} could not start: ${await exited}.`);
  const pidFile = join(home.processes, `${spec.name}.json`);
  writeAtomically(pidFile, JSON.stringify(identity));
  return { identity, exited, readOutput: () => readFileSync(outputFile).subarray(outputStart).toString().slice(-OUTPUT_CHARACTERS_MAX).trim() };
}

async function waitUntilReady(spec: AppSpec, home: Home, app: AppProcess, signal: AbortSignal): Promise<void> {
  let ended: string | null = null;
  void app.exited.then((reason) => (ended = reason));
  const deadline = performance.now() + READY_MS_MAX;
  while (!signal.aborted) {
    if (ended !== null) throw new LauncherError(`${spec.name} ended while it started (${ended}). Its output:\n\n${app.readOutput().replace(/^/gm, '  ')}\n\n${home.logs} may have more.`);
    const answer = await askReady(spec.origin);
    if (answer === null) return;
    if (performance.now() > deadline) throw new LauncherError(`${spec.name} was not ready after ${READY_MS_MAX / 1000} s. The last answer of ${spec.origin}/readyz: ${answer}`);
    await wait(READY_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Null when ready, else the answer. */
async function askReady(origin: string): Promise<string | null> {
  try {
    const response = await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(READY_REQUEST_MS_MAX) });
    const text = await response.text();
    return response.ok ? null : text.slice(0, OUTPUT_CHARACTERS_MAX);
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  }
}

const identitySchema = z.object({ pid: z.number().int().positive(), startedAt: z.string() });

/** Stops the processes that a killed launcher left running, and returns their names. A pid that another process has now is left alone. */
export async function stopOrphans(home: Home): Promise<string[]> {
  const names = readdirSync(home.processes).filter((name) => name.endsWith('.json'));
  const stopped = await Promise.all(
    names.map(async (name) => {
      const file = join(home.processes, name);
      const identity = readIdentity(file);
      const wasAlive = identity !== null && isAlive(identity);
      if (wasAlive) await stopApp(identity, ORPHAN_DRAIN_MS_MAX);
      rmSync(file, { force: true });
      return wasAlive ? [basename(name, '.json')] : [];
    }),
  );
  return stopped.flat();
}

/** Asks the app to drain, and kills it after `drainMs`. */
export async function stopApp(identity: ProcessIdentity, drainMs: number): Promise<void> {
  signalProcess(identity, 'SIGTERM');
  if (await waitForExit(identity, drainMs)) return;
  await killApp(identity);
}

export async function killApp(identity: ProcessIdentity): Promise<void> {
  signalProcess(identity, 'SIGKILL');
  await waitForExit(identity, KILL_MS_MAX);
}

function readIdentity(file: string): ProcessIdentity | null {
  try {
    return identitySchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // A power cut emptied the file, and ended the process as well.
    return null;
  }
}
