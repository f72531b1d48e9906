import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { findFreePort } from '@kilotoken/tools/free-port';
import { ContractError, scanJsonBody } from '@kilotoken/contracts';
import { loopBytesMax, loopWorkMax, workOf } from '../../apps/gateway/src/intake/body-work.js';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { seedBuyer, type Buyer } from '../support/limits.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import { heavyBodies, hostileBodies, type WorstBody } from '@kilotoken/tools/worst-bodies';

/** What one customer's bodies cost the others: no work on the event loop beyond a bound, and no memory beyond the meter. */

const MiB = 1024 * 1024;
const BODY_BYTES = 20 * MiB - 1;
const PER_KEY_BYTES = 64 * MiB;
const UNFINISHED = 60;
const STALL_MS = 3_000;
const STREAM_TOKENS = 200;
const RUN_MS_MAX = 400_000;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
let attacker: Buyer;
let metricsPort: number;

beforeAll(async () => {
  metricsPort = await findFreePort();
  vendor = await startVendor();
  cluster = await startCluster({
    models: [{ model: 'mock', contextWindow: 8_000_000, lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['1000'],
    gatewayEnv: [{ GATEWAY_METRICS_PORT: String(metricsPort), BODY_STALL_MS_MAX: String(STALL_MS), BODY_BYTES_PER_KEY_MAX: String(PER_KEY_BYTES) }],
  });
  attacker = await seedBuyer(cluster);
  client = new ClientLog('other');
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

const baseUrl = (): string => cluster.gatewayUrls[0]!;
const attackerKey = (): string => attacker.keys[0]!.key;

const readMetric = async (name: string): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { headers: { authorization: `Bearer ${cluster.internalToken}` } });
  const line = (await answer.text()).split('\n').find((text) => text.startsWith(`${name}{`));
  if (line === undefined) throw new Error(`there is no metric ${name}`);
  return Number(line.slice(line.lastIndexOf(' ') + 1));
};

const residentMiB = (): number => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${cluster.gateways[0]!.pid}/status`, 'utf8'))![1]) / 1024;

interface Refused {
  readonly status: number;
  readonly code: string | null;
}

const post = async (body: Buffer): Promise<Refused> => {
  const answer = await fetch(`${baseUrl()}/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${attackerKey()}`, 'content-type': 'application/json' }, body: new Uint8Array(body) });
  const { error } = (await answer.json()) as { error?: { code: string } };
  return { status: answer.status, code: error?.code ?? null };
};

/** Small requests of another customer, one after the other, while something else runs; how long each took in milliseconds. */
const othersWhile = async (work: () => Promise<void>): Promise<number[]> => {
  printLoop();
  let running = true;
  const stream = client.chat({ baseUrl: baseUrl(), apiKey: cluster.apiKey, stream: true, script: { outputTokens: STREAM_TOKENS, chunkDelayMs: 20 }, body: { max_tokens: STREAM_TOKENS } });
  const before = client.entries.length;
  const asking = (async () => {
    while (running) await client.chat({ baseUrl: baseUrl(), apiKey: cluster.apiKey, script: { outputTokens: 2 }, body: { max_tokens: 2 } });
  })();
  await work().finally(() => (running = false));
  await Promise.all([asking, stream]);
  printLoop();
  const took = client.entries.slice(before).map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs);
  expect(client.entries.filter(({ completed }) => !completed)).toEqual([]);
  return took;
};

/** How long they took is for `npm run bench:bodies`: here the bodies are sent by the same process, which they hold up. */
const print = (what: string, took: readonly number[]): void => void process.stderr.write(`${what}: ${took.length} requests of another customer\n`);

/** How long the event loop of the gateway ran, and was ready without a core, since it was last asked. */
let loopBefore = [0, 0];
const printLoop = (): void => {
  const { pid } = cluster.gateways[0]!;
  const loop = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ').slice(0, 2).map((text) => Number(text) / 1e6);
  const [ran, waited] = loop.map((value, index) => Math.round(value - loopBefore[index]!));
  loopBefore = loop;
  process.stderr.write(`  the event loop ran ${ran} ms and was ready without a core for ${waited} ms\n`);
};

const expectSessionAlive = async (): Promise<void> => {
  expect(await cluster.sql('SELECT id FROM session WHERE reaped_at IS NOT NULL')).toEqual([]);
  expect(await readMetric('kilotoken_loop_body_work_max')).toBeLessThanOrEqual(loopWorkMax);
};

/** Six at a time, as often as it takes until each was read: those beyond the key's share of memory are told to come again. */
const sendAll = async (bodies: readonly WorstBody[]): Promise<Map<string, Refused>> => {
  const answers = new Map<string, Refused>();
  const waiting = [...bodies];
  const send = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { name, body } = next;
      answers.set(name, await until(`${name} is read`, async () => {
        const answer = await post(body);
        return answer.code !== 'rate_limit_exceeded' && answer;
      }));
    }
  };
  await Promise.all(Array.from({ length: 6 }, send));
  return answers;
};

describe('the largest bodies', () => {
  it('six of 1.5 million keys at once are each refused, and other customers are served as before', async () => {
    const [same, unknown] = hostileBodies(BODY_BYTES);
    const answers: Refused[] = [];
    print('beside six bodies of 20 MB with 1.5 million keys', await othersWhile(async () => {
      for (let round = 0; round < 2; round += 1) answers.push(...(await Promise.all([same!, unknown!, same!, unknown!, same!, unknown!].map(({ body }) => post(body)))));
    }));
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['body_too_complex', 'rate_limit_exceeded']));
    await expectSessionAlive();
  }, RUN_MS_MAX);

  it('every worst body is refused for what is wrong with it, and other customers are served meanwhile', async () => {
    const bodies = hostileBodies(BODY_BYTES);
    let answers = new Map<string, Refused>();
    print('beside the worst bodies of 20 MB', await othersWhile(async () => { answers = await sendAll(bodies); }));
    for (const { name, codes } of bodies) expect([name, codes.includes(answers.get(name)!.code!)]).toEqual([name, true]);
    await expectSessionAlive();
  }, RUN_MS_MAX);

  it('the worst right requests are served, and other customers are served meanwhile', async () => {
    const bodies = heavyBodies(BODY_BYTES);
    let answers = new Map<string, Refused>();
    print('beside the heaviest right bodies of 20 MB', await othersWhile(async () => { answers = await sendAll(bodies); }));
    for (const { name } of bodies) expect([name, answers.get(name)]).toEqual([name, { status: 200, code: null }]);
    await expectSessionAlive();
  }, RUN_MS_MAX);

  it('bodies just below the size that leaves the event loop cost it no more than the bound', async () => {
    const bodies = [...hostileBodies(64 * 1024), ...heavyBodies(64 * 1024)];
    let answers = new Map<string, Refused>();
    print('beside the worst bodies of 64 KiB', await othersWhile(async () => {
      for (let round = 0; round < 5; round += 1) answers = await sendAll(bodies);
    }));
    for (const { name, codes } of bodies) if (codes.length > 0) expect([name, codes.includes(answers.get(name)!.code!)]).toEqual([name, true]);
    await expectSessionAlive();
  }, RUN_MS_MAX);
});

describe('bodies that do not end', () => {
  /** Announces a body and sends a little of it. */
  const begin = (head: string, start = `POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer ${attackerKey()}\r\nContent-Type: application/json\r\n`): { socket: Socket; answer: Promise<string> } => {
    const { port } = new URL(baseUrl());
    const socket = connect(Number(port), '127.0.0.1').setMaxListeners(0);
    const answer = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
      // A reset after the answer is no loss.
      socket.on('error', () => undefined).on('close', () => resolve(text));
    });
    socket.write(`${start}Host: gateway\r\n${head}`);
    return { socket, answer };
  };
  const statusesOf = async (begun: readonly { answer: Promise<string> }[]): Promise<number[]> => (await Promise.all(begun.map(({ answer }) => answer))).map((text) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]));

  it.each([
    ['announced', `Content-Length: ${BODY_BYTES}\r\n\r\n`, (piece: string) => piece],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n', (piece: string) => `${piece.length.toString(16)}\r\n${piece}\r\n`],
  ])('60 unfinished bodies of 20 MB, %s, take no more memory than their key may have, and end with 408', async (_, head, framed) => {
    const before = residentMiB();
    const begun = Array.from({ length: UNFINISHED }, () => begin(head));
    const piece = framed('x'.repeat(MiB));
    // Nearly all of it, as fast as each is read.
    const fill = async ({ socket }: { socket: Socket }): Promise<void> => {
      for (let sent = 0; sent < 19 && socket.writable; sent += 1) if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
    };
    let most = before;
    print('beside 60 unfinished bodies', await othersWhile(async () => {
      const looking = setInterval(() => (most = Math.max(most, residentMiB())), 100);
      await Promise.all(begun.flatMap((each) => [fill(each), each.answer])).finally(() => clearInterval(looking));
    }));
    process.stderr.write(`the gateway's memory grew from ${Math.round(before)} to ${Math.round(most)} MiB\n`);
    const statuses = await statusesOf(begun);
    expect(new Set(statuses)).toEqual(new Set([408, 429]));
    // The other customer's small bodies are in it too.
    expect(await readMetric('kilotoken_body_bytes_in_flight_max')).toBeLessThanOrEqual(PER_KEY_BYTES + MiB);
    await until('all bytes are given back', async () => (await readMetric('kilotoken_body_bytes_in_flight')) === 0);
    await expectSessionAlive();
  }, RUN_MS_MAX);

  it.each([
    ['without a key', 401, () => 'POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\n'],
    ['for an unknown address', 404, () => 'POST /upload HTTP/1.1\r\nContent-Type: application/json\r\n'],
    ['for an unknown address under /v1', 404, () => `POST /v1/upload HTTP/1.1\r\nAuthorization: Bearer ${attackerKey()}\r\nContent-Type: application/json\r\n`],
    ['of another type', 415, () => `POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer ${attackerKey()}\r\nContent-Type: text/plain\r\n`],
  ])('a body %s is not read: it is answered at once, and nothing of it is kept', async (_, status, start) => {
    const { answer } = begin(`Content-Length: ${BODY_BYTES}\r\n\r\n{`, start());
    expect(await answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(await readMetric('kilotoken_body_bytes_in_flight')).toBe(0);
  });

  it('a body in pieces of one byte is refused before it costs more than its bytes', async () => {
    const { socket, answer } = begin('Transfer-Encoding: chunked\r\n\r\n');
    socket.write('1\r\nx\r\n'.repeat(100_000));
    expect(await answer).toMatch(/^HTTP\/1\.1 400 [^]*body_too_complex/);
  });

  it('a client that leaves gives its bytes back', async () => {
    const { socket, answer } = begin(`Content-Length: ${BODY_BYTES}\r\n\r\n{`);
    await until('its bytes are reserved', async () => (await readMetric('kilotoken_body_bytes_in_flight')) >= BODY_BYTES);
    socket.destroy();
    await answer;
    await until('its bytes are given back', async () => (await readMetric('kilotoken_body_bytes_in_flight')) === 0);
  });
});

describe('the work of reading a body', () => {
  it('is more than the event loop takes for every worst body of 64 KiB that has many keys, values or marks', () => {
    const workOfBody = (body: Buffer): number => {
      try {
        return workOf(scanJsonBody(body), body.length);
      } catch (error) {
        // Refused while its bytes are scanned: nothing is parsed.
        if (error instanceof ContractError) return 0;
        throw error;
      }
    };
    const works = new Map([...hostileBodies(loopBytesMax), ...heavyBodies(loopBytesMax)].map(({ name, body }) => [name, workOfBody(body)]));
    for (const name of ['the same key again and again', 'unknown parameters', 'distinct keys in a tool', 'empty arrays', 'deep objects', 'numbers', 'many messages']) {
      expect([name, works.get(name)! > loopWorkMax]).toEqual([name, true]);
    }
    for (const name of ['plain text', 'control characters', 'spaces']) expect([name, works.get(name)! <= loopWorkMax]).toEqual([name, true]);
  });
});

it('everything that was served was billed, and all logs agree', async () => {
  await cluster.expectSettled();
  await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
});
