import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type Socket } from 'node:net';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Clients that never finish what they ask: they are told so in time, and hold nothing meanwhile. */

const WRITERS = 50;
/** A head may take 15 s, and Node looks every 5 s; a whole request may take 60 s. */
const ANSWERED_MS_MAX = 45_000;

let vendor: Vendor;
let cluster: Cluster;
const sockets: Socket[] = [];

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['1'] });
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await cluster?.stop();
  await vendor?.close();
});

/** Writes a byte every quarter of a second behind what it starts with; resolves to what it was answered when it was cut. */
function drip(start: string): Promise<string> {
  const socket = connect(cluster.gateways[0]!.port, '127.0.0.1');
  sockets.push(socket);
  let answer = '';
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
  socket.on('error', () => undefined);
  socket.write(start);
  const timer = setInterval(() => socket.write('a'), 250);
  return new Promise((resolve) =>
    socket.once('close', () => {
      clearInterval(timer);
      resolve(answer);
    }),
  );
}

describe('heads that come a byte at a time', () => {
  it('are answered 408 in time, while others are served', async () => {
    const startedAt = performance.now();
    const slow = Array.from({ length: WRITERS }, () => drip('POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nX-A: '));
    let cut = 0;
    for (const answer of slow) void answer.then(() => (cut += 1));
    const client = new ClientLog();
    await until('all have been answered', async () => {
      expect(await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey })).toMatchObject({ completed: true });
      return cut === WRITERS;
    }, ANSWERED_MS_MAX);
    for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(performance.now() - startedAt).toBeLessThan(ANSWERED_MS_MAX);
    await client.close();
    await cluster.expectSettled();
  }, ANSWERED_MS_MAX + 20_000);
});

describe('bodies that are never finished', () => {
  it('hold no money and reach no vendor', async () => {
    const served = vendor.log().length;
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${cluster.apiKey}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"model": "mock", "x": "`;
    const dripping = Array.from({ length: WRITERS }, () => drip(head));
    const answer = await fetch(`${cluster.gatewayUrls[0]}/credits`, { headers: { authorization: `Bearer ${cluster.apiKey}` } });
    expect(await answer.json()).toMatchObject({ data: [{ held: '0' }] });
    for (const socket of sockets) socket.destroy();
    await Promise.all(dripping);
    expect(vendor.log()).toHaveLength(served);
    await cluster.expectSettled();
  });
});
