import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { seedBuyer, type Buyer } from '../support/limits.js';
import { percentile } from '../support/rounds.js';
import { until } from '../support/until.js';
import { instruct } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * One customer sends the longest texts that are slow to count, to a lane that gives no counts, while others stream. Counting
 * one of them once held the gateway for 16 s: it was reaped, and everybody got errors. How much work the event loop may do
 * at once is asserted by count in `token-counter.spec.ts`; what others wait is printed here, and passes or fails nothing.
 */
const TEXT_LENGTH = 262_144;
const STREAMS = 20;
const ATTACKERS = 4;
const SAMPLES = 150;

const repeat = (text: string): string => text.repeat(Math.ceil(TEXT_LENGTH / text.length)).slice(0, TEXT_LENGTH);
const han = Array.from({ length: TEXT_LENGTH }, (_, index) => String.fromCharCode(0x4e00 + ((index * 7_919 + (index >> 5)) % 20_000))).join('');
const worstTexts = [han, repeat(' '), repeat('a'), repeat('a\u0301\u0302'), repeat('👩‍👩‍👧‍👦'), repeat('\r\n'), repeat('สวัสดีครับ'), repeat('=-')];

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
let attackLog: ClientLog;
let attacker: Buyer;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', contextWindow: 1_000_000, lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['1000'], env: { SESSION_TTL_MS: '15000' } });
  attacker = await seedBuyer(cluster);
  client = new ClientLog('quiet');
  attackLog = new ClientLog('attacker');
});
afterAll(async () => {
  await client?.close();
  await attackLog?.close();
  await cluster?.stop();
  await vendor?.close();
});

const baseUrl = (): string => cluster.gatewayUrls[0]!;

const attack = (text: string): Promise<ClientLogEntry> =>
  attackLog.chat({ baseUrl: baseUrl(), apiKey: attacker.keys[0]!.key, body: { messages: [{ role: 'user', content: text }, { role: 'user', content: instruct({ usage: 'omit', outputTokens: 2 }) }] } });

/** What small requests take, one after the other, in milliseconds. */
const sample = async (): Promise<number[]> => {
  const taken: number[] = [];
  for (let request = 0; request < SAMPLES; request += 1) {
    const startedMs = performance.now();
    const entry = await client.chat({ baseUrl: baseUrl(), apiKey: cluster.apiKey, script: { outputTokens: 1 } });
    expect(entry.completed).toBe(true);
    taken.push(performance.now() - startedMs);
  }
  return taken;
};

const underAttack = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  let stopping = false;
  const attackers = Array.from({ length: ATTACKERS }, async (_, number) => {
    for (let turn = number; !stopping; turn += 1) await attack(worstTexts[turn % worstTexts.length]!);
  });
  try {
    return await work();
  } finally {
    stopping = true;
    await Promise.all(attackers);
  }
};

/** Of a process on Linux; the event loop is its main thread. */
const nicenessOfThreads = async (pid: number): Promise<{ main: number; lowest: number }> => {
  const threads = await readdir(`/proc/${pid}/task`);
  // The fields behind the name, which may hold blanks; niceness is the 19th of all.
  const of = async (thread: string): Promise<number> => Number((await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')).split(') ').at(-1)!.split(' ')[16]);
  return { main: await of(String(pid)), lowest: Math.max(...(await Promise.all(threads.map(of)))) };
};

const told = (name: string, taken: readonly number[]): string => `${name}: p50 ${percentile(taken, 0.5).toFixed(1)} ms, p99 ${percentile(taken, 0.99).toFixed(1)} ms`;

describe('texts that are slow to count', () => {
  it('are charged by the estimate, and exactly by the tokenizer where no vendor counts', async () => {
    const entry = await attack(han);
    expect(entry).toMatchObject({ completed: true });
    const { counts, estimated } = await until('it is settled', async () => (await cluster.sql<{ counts: Record<string, number>; estimated: boolean }>('SELECT counts, estimated FROM usage WHERE id = $1', [entry.requestId]))[0]);
    // The library takes the square of a text's length, so it counts pieces of an eighth, which is right to one token a piece.
    const pieces = Array.from({ length: TEXT_LENGTH / 8 / 256 }, (_, piece) => han.slice(piece * 8 * 256, (piece * 8 + 1) * 256));
    const truth = 8 * pieces.reduce((sum, piece) => sum + countTokens(piece), 0);
    expect(estimated).toBe(true);
    expect(Math.abs(counts['input']! / truth - 1)).toBeLessThan(0.01);
    expect(counts['output']).toBe(2);
  });

  it('fail no request of anybody else, and do not cost the gateway its session', async () => {
    const before = client.entries.length;
    const idle = await sample();
    const attacked = await underAttack(async () => {
      const streams = Array.from({ length: STREAMS }, (_, number) => client.chat({ baseUrl: baseUrl(), apiKey: cluster.apiKey, stream: true, script: { outputTokens: 60, chunkDelayMs: 50, ...(number % 2 === 0 ? { usage: 'omit' } : {}) } }));
      const taken = await sample();
      await Promise.all(streams);
      return taken;
    });
    process.stderr.write(`\nA small request while nothing else runs and beside texts that are slow to count. ${told('idle', idle)}; ${told('beside them', attacked)}\n`);

    expect(client.entries.slice(before).filter(({ completed }) => !completed)).toEqual([]);
    expect(attackLog.entries.filter(({ completed }) => !completed)).toEqual([]);
    expect(attackLog.entries.length).toBeGreaterThanOrEqual(ATTACKERS);
    expect(await cluster.sql('SELECT id FROM session WHERE reaped_at IS NOT NULL')).toEqual([]);
    const { main, lowest } = await nicenessOfThreads(cluster.gateways[0]!.pid);
    expect(lowest).toBe(Math.min(19, main + 10));
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: [...client.entries, ...attackLog.entries], vendor: vendor.log() });
  });
});
