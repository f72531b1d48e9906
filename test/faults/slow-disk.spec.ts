import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { ClientLog } from '../support/client-log.js';
import { startLoad, type Load } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { createPrivatePostgres, type PrivatePostgres } from '../support/private-postgres.js';
import { itNeeds } from '../support/requirements.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** The disk under Postgres is slow, or lies: the end of an answer waits for it, or the answer ends with an error. */

const FSYNC_DELAY_MS = 50;

let vendor: Vendor;
let postgres: PrivatePostgres;
let cluster: Cluster;
let client: ClientLog;
let load: Load | null = null;
let tracer: ChildProcess | null = null;

beforeAll(async () => {
  vendor = await startVendor();
  postgres = await createPrivatePostgres();
  cluster = await startCluster({ postgres, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'], env: { SESSION_TTL_MS: '10000' } });
});
afterEach(async () => {
  await endTrace();
  await load?.stop();
  load = null;
  await client.close();
});
afterAll(async () => {
  await cluster?.stop();
  await postgres?.remove();
  await vendor?.close();
});

const begin = (concurrency: number): void => {
  client = new ClientLog();
  load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency, script: () => ({ outputTokens: 3 }) });
};
const untilAnswers = async (more: number): Promise<void> => {
  const before = client.completed().length;
  await until(`${more} more answers are complete`, () => client.completed().length >= before + more, 30_000);
};

describe('a disk', () => {
  itNeeds('linux', 'root', 'strace')('that takes 50 ms for an fsync: no answer ends before it is on it', async () => {
    await trace(`fsync,fdatasync:delay_exit=${FSYNC_DELAY_MS * 1_000}`);
    begin(8);
    await untilAnswers(40);
    await load!.stop();
    const latencies = client.completed().map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs);
    expect(Math.min(...latencies)).toBeGreaterThanOrEqual(FSYNC_DELAY_MS - 1);
    expect(client.entries.filter(({ completed }) => !completed)).toEqual([]);
    await endTrace();
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });

  itNeeds('linux', 'root', 'strace')('that fails an fsync: Postgres recovers by itself, and what was in doubt counts once', async () => {
    begin(8);
    await untilAnswers(20);
    let crashed = false;
    const witness = new pg.Client({ connectionString: cluster.ownerUrl });
    witness.on('error', () => (crashed = true));
    await witness.connect();
    await trace('fsync,fdatasync:error=EIO:when=3');
    await until('Postgres has crashed', () => crashed, 20_000);
    await endTrace();
    await until('Postgres is back', () => cluster.sql('SELECT 1').then(() => true, () => false), 30_000);
    await untilAnswers(20);
    await load!.stop();
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });
});

/** Attaches to every process of the server, and to those that it will start. */
async function trace(inject: string): Promise<void> {
  const postmaster = postgres.server().identity.pid;
  const pids = [postmaster, ...childrenOf(postmaster)];
  const [calls] = inject.split(':');
  tracer = spawn('strace', ['-f', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${inject}`, ...pids.flatMap((pid) => ['-p', String(pid)])], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  tracer.stderr!.on('data', (text: Buffer) => (said += text.toString()));
  await until('strace is attached', () => said.split('attached').length > pids.length * 0.5 && said.includes(`${postmaster} attached`));
}

async function endTrace(): Promise<void> {
  const ending = tracer;
  tracer = null;
  if (!ending || ending.exitCode !== null) return;
  ending.kill('SIGINT');
  await until('strace has let go', () => ending.exitCode !== null || ending.signalCode !== null);
}

const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        // It ended while it was looked at.
        return false;
      }
    });
