import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import type { VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** A model with several lanes: what fails before its first byte moves on, each attempt is a row, one carries the charge. */

const HANGS_MS_MAX = 700;
/** Of the second gateway: what one request may take to its first byte, over all attempts. */
const DEADLINE_MS = 2_000;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
/** Accepts connections and says nothing. */
let silent: Server;

beforeAll(async () => {
  vendor = await startVendor();
  silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const lane = (upstreamModel: string, baseUrl = vendor.baseUrl) => ({ baseUrl, upstreamModel });
  // Only lanes that are to say nothing are waited for so briefly: whoever is to answer may be slow.
  const hanging = (upstreamModel: string, firstByteMs: number, baseUrl = vendor.baseUrl) => ({ baseUrl, upstreamModel, timeouts: { firstByteMs, answerMs: firstByteMs } });
  cluster = await startCluster({
    gateways: 2,
    models: [
      { model: 'two', lanes: [lane('first'), lane('second')] },
      { model: 'hanging-then-alive', lanes: [hanging('first', HANGS_MS_MAX), lane('second')] },
      { model: 'dead-then-alive', lanes: [lane('gone', 'http://127.0.0.1:1/v1'), lane('second')] },
      { model: 'silent-then-alive', lanes: [hanging('mute', HANGS_MS_MAX, `http://127.0.0.1:${(silent.address() as AddressInfo).port}/v1`), lane('second')] },
      { model: 'five', lanes: ['a', 'b', 'c', 'd', 'e'].map((name) => lane(name)) },
      { model: 'five-hanging', lanes: ['a', 'b', 'c', 'd', 'e'].map((name) => hanging(name, DEADLINE_MS * 0.75)) },
      { model: 'no-lane', lanes: [] },
    ],
    grants: ['100'],
    env: { ATTEMPTS_MAX: '3' },
    gatewayEnv: [{}, { FIRST_BYTE_MS_MAX: String(DEADLINE_MS) }],
  });
  client = new ClientLog();
});

afterEach(() => vendor.control({}));
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
  silent?.close();
});

const ask = (model: string, stream: boolean, script: VendorScript = {}, gateway = 0): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[gateway]!, apiKey: cluster.apiKey, model, stream, script });
const attemptsOf = ({ requestId }: ClientLogEntry) =>
  until(`request ${requestId} is settled`, async () => {
    const rows = await cluster.sql<{ upstream_model: string; outcome: string; upstream_status: number | null; charged: boolean; error_code: string | null }>(
      'SELECT upstream_model, outcome, upstream_status, charge > 0 AS charged, error_code FROM usage WHERE id = $1 ORDER BY attempt',
      [requestId],
    );
    return rows.length > 0 && rows;
  });

describe.each([false, true])('with stream = %s, a request', (stream) => {
  it.each([429, 500, 503])('moves to the next lane when the first answers %d', async (status) => {
    vendor.control({ models: { first: { status } } });
    const entry = await ask('two', stream, { outputTokens: 4 });
    expect(entry).toMatchObject({ status: 200, completed: true, chunks: stream ? 4 : 0 });
    expect(await attemptsOf(entry)).toMatchObject([
      { upstream_model: 'first', outcome: 'upstream_failed', upstream_status: status, charged: false, error_code: expect.any(String) },
      { upstream_model: 'second', outcome: 'completed', upstream_status: 200, charged: true },
    ]);
  });

  it.each<[string, string, VendorScript]>([
    ['hangs', 'hanging-then-alive', { hangBeforeHeaders: true }],
    ['sends garbage', 'two', { garbage: true }],
    ['breaks off before its first token', 'two', { dieAfterChunks: 0 }],
  ])('moves on when the first lane %s', async (_, model, script) => {
    vendor.control({ models: { first: script } });
    const entry = await ask(model, stream);
    expect(entry).toMatchObject({ status: 200, completed: true });
    const attempts = await attemptsOf(entry);
    expect(attempts.at(-1)).toMatchObject({ upstream_model: 'second', outcome: 'completed', charged: true });
    expect(attempts.slice(0, -1).every(({ charged }) => !charged)).toBe(true);
  });

  it.each(['dead-then-alive', 'silent-then-alive'])('moves on when nobody answers: %s', async (model) => {
    const entry = await ask(model, stream);
    expect(entry).toMatchObject({ status: 200, completed: true });
    const attempts = await attemptsOf(entry);
    expect(attempts.length).toBeLessThanOrEqual(3);
    expect(attempts.at(-1)).toMatchObject({ upstream_model: 'second', charged: true });
  });

  it('gives up after the attempts that are allowed, and costs nothing', async () => {
    vendor.control({ all: { status: 500 } });
    const served = vendor.log().length;
    const entry = await ask('five', stream);
    expect(entry).toMatchObject({ status: 502, completed: false, errorCode: 'upstream_error' });
    expect(await attemptsOf(entry)).toMatchObject(['a', 'b', 'c'].map((upstream_model) => ({ upstream_model, outcome: 'upstream_failed', charged: false })));
    expect(vendor.log().length - served).toBe(3);
  });

  it('is not tried elsewhere when the vendor found it wrong', async () => {
    vendor.control({ models: { first: { status: 400 } } });
    const entry = await ask('two', stream);
    expect(entry).toMatchObject({ status: 400, completed: false });
    expect(await attemptsOf(entry)).toMatchObject([{ upstream_model: 'first', upstream_status: 400, charged: false }]);
  });

  it('is refused at once where nothing serves its model', async () => {
    expect(await ask('no-lane', stream)).toMatchObject({ status: 503, errorCode: 'lane_unavailable' });
  });
});

describe('a stream that has begun', () => {
  it('never moves: it ends with an error', async () => {
    vendor.control({ models: { first: { dieAfterChunks: 2 } } });
    const entry = await ask('two', true);
    expect(entry).toMatchObject({ status: 200, completed: false, chunks: 2, errorCode: 'upstream_error' });
    expect(await attemptsOf(entry)).toMatchObject([{ upstream_model: 'first', outcome: 'interrupted', charged: true }]);
  });
});

describe('one deadline', () => {
  it('holds over all attempts: three that hang would take longer, so the third is not begun', async () => {
    vendor.control({ all: { hangBeforeHeaders: true } });
    const entry = await ask('five-hanging', true, {}, 1);
    expect(entry).toMatchObject({ status: 504, errorCode: 'upstream_timeout' });
    expect((await attemptsOf(entry)).length).toBeLessThan(3);
  });
});

describe('behind it all', () => {
  it('connections to a vendor are used again', async () => {
    const [connections, requests] = [vendor.connectionsAccepted(), vendor.log().length];
    for (let index = 0; index < 20; index += 1) expect(await ask('two', false)).toMatchObject({ completed: true });
    expect(vendor.log().length - requests).toBe(20);
    expect(vendor.connectionsAccepted() - connections).toBeLessThanOrEqual(2);
  });

  it('three logs agree and every invariant holds', async () => {
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });
});
