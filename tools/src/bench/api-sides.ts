import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { findFreePort } from '../free-port.js';
import type { ApiFixture } from './api-fixture.js';
import { startBenchApp } from './app.js';
import { startBenchProcess, type BenchProcess } from './child.js';
import { openInspector, type Inspector } from './inspector.js';
import type { Side } from './rounds.js';
import type { Cleanup } from './run.js';

/** Both sides as processes of their own on one database, and the session that both know. */
export interface ApiSides {
  readonly api: Side;
  readonly bare: Side;
  readonly load: BenchProcess;
  /** The cookie of the owner's session, as a browser keeps it. */
  readonly cookie: string;
  readonly inspector: Inspector | null;
}

const readySchema = z.object({ port: z.number().int().positive() });
const signInMsMax = 30_000;

export const startApiSides = async ({ database, email, password }: ApiFixture, inspected: boolean, cleanup: Cleanup): Promise<ApiSides> => {
  const [port, metricsPort, inspectPort] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const [secretKey, publicUrl] = [randomBytes(32).toString('hex'), `http://127.0.0.1:${port}`];
  const api = await startBenchApp({
    name: 'api',
    port,
    folder: database.folder,
    settings: {
      HOST: '127.0.0.1', API_PORT: String(port), API_METRICS_PORT: String(metricsPort), APP_DATABASE_URL: database.apiUrl, INTERNAL_TOKEN: randomBytes(16).toString('hex'), LOG_LEVEL: 'info',
      KILOTOKEN_MODE: 'production', API_PUBLIC_URL: publicUrl, KILOTOKEN_SECRET_KEY: secretKey,
    },
    ...(inspected ? { inspectPort } : {}),
  });
  cleanup.push(api.stop);
  const inspector = inspected ? await openInspector(inspectPort) : null;
  cleanup.push(() => inspector?.close());
  const start = async (name: string, args: string[] = []): Promise<BenchProcess> => {
    const started = await startBenchProcess(name, args);
    cleanup.push(started.stop);
    return started;
  };
  const bare = await start('api-bare', [JSON.stringify({ databaseUrl: database.apiUrl, secretKey, publicUrl })]);
  const load = await start('api-load');
  const sideOf = (name: string, origin: string, pid: number): Side => ({ origin, pid, pids: { [name]: pid, postgres: database.postgresPid, load: load.pid }, owner: null });
  return {
    api: sideOf('api', api.origin, api.pid),
    bare: sideOf('bare', `http://127.0.0.1:${readySchema.parse(bare.ready).port}`, bare.pid),
    load,
    cookie: await signIn(publicUrl, email, password),
    inspector,
  };
};

const signIn = async (origin: string, email: string, password: string): Promise<string> => {
  const response = await fetch(`${origin}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin },
    body: JSON.stringify({ email, password }),
    signal: AbortSignal.timeout(signInMsMax),
  });
  const text = await response.text();
  const [cookie] = response.headers.getSetCookie().flatMap((line) => /^[^;]*session_token=[^;]+/.exec(line)?.[0] ?? []);
  if (!response.ok || cookie === undefined) throw new Error(`the owner cannot sign in: ${response.status} ${text}`);
  return cookie;
};
