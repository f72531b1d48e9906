import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gatewayNodeFlags } from '../launcher/apps.js';

/** Starts one of our own processes as an installation does: built code, its log in a file. */
export interface AppOptions {
  readonly name: 'gateway' | 'metering' | 'inference-worker' | 'api';
  readonly port: number;
  readonly folder: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Open the inspector on this port. */
  readonly inspectPort?: number;
}

export interface App {
  readonly pid: number;
  readonly origin: string;
  stop(): Promise<void>;
}

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const readyMsMax = 60_000;
const readyPollMs = 50;
const requestMsMax = 2_000;
const stopMsMax = 10_000;

export const startBenchApp = async ({ name, port, folder, settings, inspectPort }: AppOptions): Promise<App> => {
  const outputFile = join(folder, `${name}.out`);
  const output = openSync(outputFile, 'w');
  const nodeFlags = [...(name === 'gateway' ? gatewayNodeFlags : []), ...(inspectPort ? [`--inspect=127.0.0.1:${inspectPort}`] : [])];
  const child = spawn(process.execPath, [...nodeFlags, join(repository, 'apps', name, 'dist/main.js')], {
    cwd: folder,
    stdio: ['ignore', output, output],
    env: { NODE_ENV: 'production', LOG_FILE: join(folder, `${name}.log`), ...settings },
  });
  closeSync(output);
  let ended: string | null = null;
  const exited = new Promise<void>((resolve) =>
    child.once('exit', (code, signal) => {
      ended = signal ?? `code ${code}`;
      resolve();
    }),
  );
  const origin = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + readyMsMax;
  while (!(await isReady(origin))) {
    if (ended !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${name} ${ended === null ? 'was not ready in time' : `ended with ${String(ended)}`}:\n${readFileSync(outputFile, 'utf8')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, readyPollMs));
  }
  return {
    pid: child.pid!,
    origin,
    stop: async () => {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
      await exited;
      clearTimeout(force);
    },
  };
};

const isReady = async (origin: string): Promise<boolean> => {
  try {
    const answer = await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(requestMsMax) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    // The port is not open yet.
    return false;
  }
};
