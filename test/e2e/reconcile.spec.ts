import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeFinding, openAuditPool, runReconcile, type ReconcileReport } from '@kilotoken/reconcile';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/** Real processes, a vendor that does wrong what vendors do wrong, clients that leave: afterwards three logs of the same requests agree. */
let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-reconcile-'));
  vendor = await startVendor();
  cluster = await startCluster({ gateways: 2, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }, { baseUrl: vendor.baseUrl }] }], grants: ['1', '5'] });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
  rmSync(folder, { recursive: true });
});

const scripts: readonly VendorScript[] = [
  { outputTokens: 5 }, { outputTokens: 8, cachedTokens: 3, reasoningTokens: 2 }, { outputTokens: 20, dieAfterChunks: 4 }, { outputTokens: 20, endAfterChunks: 3 },
  { status: 500, failures: 1 }, { status: 429 }, { usage: 'omit' }, { usage: 'inflated' }, { usage: 'zero' }, { garbage: true }, { outputTokens: 30, chunkDelayMs: 5 },
];

const reconcile = async (): Promise<ReconcileReport> => {
  const pool = openAuditPool(cluster.ownerUrl);
  const write = (name: string, entries: readonly object[]): string => {
    const file = join(folder, name);
    writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    return file;
  };
  try {
    return await runReconcile(pool, { clientLogs: [write('client.jsonl', client.entries)], vendorLogs: [write('vendor.jsonl', vendor.log())] });
  } finally {
    await pool.end();
  }
};

describe('the books of real processes', () => {
  it('hold while requests run, and once all are rated, by all three logs', async () => {
    const { key } = cluster.tenant.keys[0]!;
    const running = Array.from({ length: 220 }, (_, index) =>
      client.chat({
        baseUrl: cluster.gatewayUrls[index % 2]!, apiKey: key, stream: index % 3 !== 0, script: scripts[index % scripts.length]!,
        ...(index % 10 === 9 ? { abortAfterChunks: 2 } : {}),
      }),
    );
    const during = await reconcileDatabase();
    await Promise.all(running);
    await cluster.expectSettled({ quarantineExpected: true });
    const after = await reconcile();
    for (const { checks } of [during, after]) expect(checks.flatMap((check) => check.findings.map((finding) => describeFinding(check, finding)))).toEqual([]);
    const checked = Object.fromEntries(after.checks.map(({ name, checked: rows }) => [name, rows]));
    expect(checked['client-completed']).toBe(client.completed().length);
    expect(checked['client-completed']).toBeGreaterThan(50);
    expect(checked['vendor-served']).toBeGreaterThanOrEqual(checked['client-completed']!);
    expect(after.logs!.vendorOnly!.entries).toBe(0);
    expect(after.inFlight).toMatchObject({ openRequests: 0, unratedRows: 0, sessions: 2, sessionsSilent: 0 });
  });
});

const reconcileDatabase = async (): Promise<ReconcileReport> => {
  const pool = openAuditPool(cluster.ownerUrl);
  try {
    return await runReconcile(pool);
  } finally {
    await pool.end();
  }
};
