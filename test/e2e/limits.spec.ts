import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { RateLimitError } from 'openai';
import { parseMoney } from '@kilotoken/money';
import { startCluster, type Cluster } from '../support/cluster.js';
import { askAs, countOf, seedBuyer, seedLimit, type Asked, type Buyer, type SeedLimit } from '../support/limits.js';
import { shortestMs } from '../support/rounds.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import { instruct } from '../support/vendor-script.js';

/** Limits on two real gateways by the official SDK: never more than they allow, told as OpenAI tells it, changed while they run. */

const LIVE_MS_MAX = 1_500;
const LIVE_ROUNDS = 4;
const MINUTE_MS = 60_000;

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ gateways: 2, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }] });
});
afterEach(() => cluster.expectSettled());
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const buyerUnder = async (...limits: SeedLimit[]): Promise<Buyer> => {
  const buyer = await seedBuyer(cluster);
  for (const limit of limits) await seedLimit(cluster, buyer, limit);
  return buyer;
};
const header = ({ headers }: Asked, name: string): string | null => headers.get(name);
type AskAt = (gateway: number) => Promise<Asked>;

/**
 * Many at once, and then one after the other until all that a limit allows is used: for a moment a gateway refuses what the
 * other one has idle. At the end two more than it allows.
 */
const useUp = async (allowed: number, ask: AskAt, atOnce: number): Promise<Asked[]> => {
  const answers = await Promise.all(Array.from({ length: atOnce }, (_, index) => ask(index % 2)));
  await until(`${allowed} were admitted`, async () => countOf(answers, 200) >= allowed || (answers.push(await ask(answers.length % 2)), false));
  answers.push(await ask(0), await ask(1));
  expect(countOf(answers, 200) + countOf(answers, 429)).toBe(answers.length);
  return answers;
};

/** Sends so many whose answers wait at the vendor, and more, until so many run and all others were refused; answers how many run. */
const runAtOnce = async (allowed: number, ask: AskAt, atOnce: number): Promise<{ running: number; answers: Promise<Asked[]> }> => {
  const asked: Promise<Asked>[] = [];
  let refused = 0;
  const send = (): void => {
    const answer = ask(asked.length % 2);
    asked.push(answer);
    void answer.then(({ status }) => (refused += Number(status === 429)));
  };
  for (let count = 0; count < atOnce; count += 1) send();
  await until(`${allowed} run and the others were refused`, () => {
    if (refused + vendor.waiting() < asked.length) return false;
    if (vendor.waiting() >= allowed) return true;
    send();
    return false;
  });
  return { running: vendor.waiting(), answers: Promise.all(asked) };
};

const eventsOf = (buyer: Buyer) =>
  cluster.sql<{ kind: string; payload: { amount: string } }>("SELECT kind, payload FROM outbox_event WHERE organization_id = $1 AND kind LIKE 'budget.%'", [buyer.organizationId]);

describe('requests a minute', () => {
  it('are admitted up to the limit and not one more, on two gateways at once, and refused as the SDK expects', async () => {
    const buyer = await buyerUnder({ measure: 'requests', amount: '12', per: 60_000 });
    const ask = askAs(cluster, buyer);
    const beganAt = performance.now();
    expect(countOf(await useUp(12, (gateway) => ask({ gateway }), 60), 200)).toBe(12);
    const refused = await until('a refusal knows that all is used', async () => {
      const answer = await ask();
      return Number(header(answer, 'retry-after')) > 1 && answer;
    });
    expect(refused.error).toBeInstanceOf(RateLimitError);
    expect(refused.error).toMatchObject({ code: 'rate_limit_exceeded', type: 'rate_limit_error' });
    expect(refused.error!.message).toMatch(/requests per minute of the organization: Limit 12, Remaining 0, Requested 1/);
    const waitMs = Number(header(refused, 'retry-after-ms'));
    expect(waitMs).toBeGreaterThan(MINUTE_MS - (performance.now() - beganAt) - 1_000);
    expect(waitMs).toBeLessThanOrEqual(70_000);
    expect(Number(header(refused, 'retry-after'))).toBe(Math.ceil(waitMs / 1_000));
    expect(header(refused, 'x-ratelimit-limit-requests')).toBe('12');
    expect(header(refused, 'x-ratelimit-remaining-requests')).toBe('0');
    expect(header(refused, 'x-ratelimit-reset-requests')).toMatch(/^(1m)?\d+(\.\d+)?s$/);
  });

  it('are told with each answer, in JSON and in streams', async () => {
    const buyer = await buyerUnder({ measure: 'requests', amount: '1000', per: 60_000 }, { measure: 'tokens', amount: '100000', per: 60_000 });
    const first = await askAs(cluster, buyer)();
    expect([header(first, 'x-ratelimit-limit-requests'), header(first, 'x-ratelimit-remaining-requests')]).toEqual(['1000', '999']);
    expect(header(first, 'x-ratelimit-limit-tokens')).toBe('100000');
    const left = 100_000 - first.usage!.prompt_tokens - first.usage!.completion_tokens;
    expect(header(first, 'x-ratelimit-remaining-tokens')).toBe(String(left));
    const openai = new OpenAI({ baseURL: cluster.gatewayUrls[0]!, apiKey: buyer.keys[0]!.key, maxRetries: 0 });
    let remaining = 999;
    // What a gateway just gives back is not counted as left until the database has it.
    await until('a stream tells what is left', async () => {
      const { data, response } = await openai.chat.completions.create({ model: 'mock', stream: true, max_tokens: 3, messages: [{ role: 'user', content: instruct({ outputTokens: 3 }) }] }).withResponse();
      for await (const chunk of data) void chunk;
      remaining -= 1;
      return response.headers.get('x-ratelimit-remaining-requests') === String(remaining);
    });
  });

  it('are nobody else\'s: an organization without limits is told of none', async () => {
    const free = await askAs(cluster, await seedBuyer(cluster))();
    expect([free.status, ...[...free.headers.keys()].filter((name) => name.startsWith('x-ratelimit'))]).toEqual([200]);
  });
});

describe('a limit that changes', () => {
  it('holds within a second on every gateway: set, raised, lowered and removed', async () => {
    const buyer = await seedBuyer(cluster);
    const ask = askAs(cluster, buyer);
    expect([(await ask()).status, (await ask({ gateway: 1 })).status]).toEqual([200, 200]);
    /** How long it took on the slower of both. */
    const untilBothAnswer = async (status: number): Promise<number> => {
      const changedAt = performance.now();
      for (const gateway of [0, 1]) await until(`gateway ${gateway} answers ${status}`, async () => (await ask({ gateway })).status === status);
      return performance.now() - changedAt;
    };
    const round = async (): Promise<number> => {
      const id = await seedLimit(cluster, buyer, { measure: 'requests', amount: '0', per: 'day' });
      const took = [await untilBothAnswer(429)];
      await cluster.sql('UPDATE usage_limit SET amount = 1000 WHERE id = $1', [id]);
      took.push(await untilBothAnswer(200));
      await cluster.sql('UPDATE usage_limit SET amount = 1 WHERE id = $1', [id]);
      took.push(await untilBothAnswer(429));
      await cluster.sql('DELETE FROM usage_limit WHERE id = $1', [id]);
      took.push(await untilBothAnswer(200));
      return Math.max(...took);
    };
    expect(await shortestMs(LIVE_ROUNDS, round)).toBeLessThan(LIVE_MS_MAX);
  });
});

describe('concurrency', () => {
  it('is never above the limit on two gateways, and comes back from requests that end, fail or are left', async () => {
    const buyer = await buyerUnder({ measure: 'concurrency', amount: '3' });
    const ask = askAs(cluster, buyer);
    const held: AskAt = (gateway) => ask({ gateway, script: { outputTokens: 10, waitAfterChunks: 0 } });
    const first = await runAtOnce(3, held, 20);
    expect(first.running).toBe(3);
    vendor.letGo();
    const answers = await first.answers;
    expect(countOf(answers, 200)).toBe(3);
    expect(answers.find(({ status }) => status === 429)!.error!.message).toContain('concurrent requests of the organization');
    // Each way of ending gives its place back: three of each in turn fit again.
    // One that is free at the other gateway is there in a moment: the SDK does what a refusal says, and asks again.
    const leave = async (gateway: number): Promise<void> => {
      const openai = new OpenAI({ baseURL: cluster.gatewayUrls[gateway]!, apiKey: buyer.keys[0]!.key, maxRetries: 20 });
      const stream = await openai.chat.completions.create({ model: 'mock', stream: true, max_tokens: 50, messages: [{ role: 'user', content: instruct({ outputTokens: 50, chunkDelayMs: 20 }) }] });
      for await (const chunk of stream) {
        void chunk;
        break;
      }
      stream.controller.abort();
    };
    for (let round = 0; round < 3; round += 1) {
      await until('the places are free again', async () => (await ask()).status === 200);
      await leave(round % 2);
      await until('one that fails has had a place', async () => (await ask({ gateway: 1, script: { status: 500 } })).status === 502);
    }
    const last = await runAtOnce(3, held, 3);
    expect(last.running).toBe(3);
    vendor.letGo();
    await last.answers;
  });
});

describe('tokens', () => {
  it('are reserved at their worst and counted as they were: what a request did not use serves the next', async () => {
    const buyer = await buyerUnder({ measure: 'tokens', amount: '2000', per: 60_000 });
    const ask = askAs(cluster, buyer);
    // The worst case of one is nearly the limit, what it uses a hundredth.
    for (let request = 0; request < 5; request += 1) await until('what is left serves one more', async () => (await ask({ maxTokens: 1_500, gateway: request % 2 })).status === 200);
    const together = await runAtOnce(1, (gateway) => ask({ maxTokens: 1_500, gateway, script: { outputTokens: 5, waitAfterChunks: 0 } }), 4);
    expect(together.running).toBe(1);
    vendor.letGo();
    await together.answers;
    const tooLarge = await ask({ maxTokens: 3_000 });
    expect([tooLarge.status, header(tooLarge, 'x-should-retry')]).toEqual([429, 'false']);
    expect(tooLarge.error!.message).toContain('larger than the limit');
  });

  it('of input and of output are limited apart, and a request without max_tokens is shortened to what is left', async () => {
    const buyer = await buyerUnder({ measure: 'input_tokens', amount: '100000', per: 'day' }, { measure: 'output_tokens', amount: '50', per: 'day' });
    const ask = askAs(cluster, buyer);
    const first = await ask({ maxTokens: 30, script: { outputTokens: 30 } });
    expect(first.usage).toMatchObject({ completion_tokens: 30 });
    const second = await until('what the first one left is had by the other gateway', async () => {
      const answer = await ask({ gateway: 1, maxTokens: null, script: { outputTokens: 100 } });
      return answer.status === 200 && answer;
    });
    // At least MIN_OUTPUT_TOKENS, at most what the first one left.
    expect(second.usage!.completion_tokens).toBeGreaterThanOrEqual(16);
    expect(second.usage!.completion_tokens).toBeLessThanOrEqual(20);
    const third = await until('a refusal knows that all is used', async () => {
      const answer = await ask({ maxTokens: 21 - second.usage!.completion_tokens });
      return header(answer, 'x-should-retry') !== null && answer;
    });
    expect(third.error).toMatchObject({ status: 429, code: 'budget_exceeded' });
    expect(third.error!.message).toContain('output tokens per day of the organization');
    expect(header(third, 'x-should-retry')).toBe('false');
  });
});

describe('a budget of money', () => {
  it('is spent to its last affordable request on two gateways together and never beyond, and is told once', async () => {
    const probe = await askAs(cluster, await seedBuyer(cluster))();
    const hold = parseMoney(header(probe, 'x-kilotoken-hold')!);
    const buyer = await buyerUnder({ measure: 'money', amount: '0.0001', per: 'month' });
    const ask = askAs(cluster, buyer);
    let spent = 0n;
    const spend = ({ usage }: Asked): void => void (spent += usage ? parseMoney(usage.kilotoken.charges[0]!.amount) : 0n);
    (await Promise.all(Array.from({ length: 20 }, (_, index) => ask({ gateway: index % 2 })))).forEach(spend);
    // What the many left behind is spent one by one, until less than one's worst case is left.
    await until('the budget has too little left for one more', async () => {
      const answer = await ask();
      spend(answer);
      return answer.error?.code === 'budget_exceeded' && spent > parseMoney('0.0001') - hold;
    });
    expect(spent).toBeLessThanOrEqual(parseMoney('0.0001'));
    await until('it is told', async () => (await eventsOf(buyer)).length > 0);
    expect(await eventsOf(buyer)).toMatchObject([{ kind: 'budget.reached', payload: { amount: '0.0001', measure: 'money' } }]);
  });

  it('that is soft warns with a header and an event, and stops nobody', async () => {
    const buyer = await buyerUnder({ measure: 'money', amount: '0.000001', per: 'day', soft: true });
    const ask = askAs(cluster, buyer);
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => ask({ gateway: index % 2 })));
    expect(countOf(answers, 200)).toBe(6);
    expect(header(answers.at(-1)!, 'x-kilotoken-limit-warning')).toMatch(/^[0-9a-f-]{36} USD per day of the organization$/);
    await until('it is told', async () => (await eventsOf(buyer)).length > 0);
    expect(await eventsOf(buyer)).toMatchObject([{ kind: 'budget.warned' }]);
  });
});

describe('a limit on end users', () => {
  it('holds for each of them, also for one who was never seen before and comes many times at once', async () => {
    const buyer = await buyerUnder({ on: 'end_user', measure: 'requests', amount: '4', per: 60_000 });
    const ask = askAs(cluster, buyer);
    for (const user of ['ada', 'grace']) {
      const answers = await useUp(4, (gateway) => ask({ user, gateway }), 20);
      expect([user, countOf(answers, 200)]).toEqual([user, 4]);
    }
    // Who names nobody is one end user, too.
    expect(countOf(await useUp(4, (gateway) => ask({ gateway }), 10), 200)).toBe(4);
  });
});

describe('several limits at once', () => {
  it('each hold; a request that one refuses uses nothing of the others', async () => {
    const buyer = await buyerUnder({ measure: 'requests', amount: '6', per: 'day' }, { on: 'project', measure: 'concurrency', amount: '1' }, { on: 'key', measure: 'tokens', amount: '100000', per: 60_000 });
    const ask = askAs(cluster, buyer);
    // Nearly all are refused for concurrency: of the day's requests they must leave all that they reserved.
    await Promise.all(Array.from({ length: 30 }, (_, index) => ask({ gateway: index % 2, script: { outputTokens: 5, firstByteDelayMs: 300 } })));
    let served = (await cluster.sql<{ n: number }>('SELECT count(*)::int AS n FROM usage WHERE organization_id = $1', [buyer.organizationId]))[0]!.n;
    expect(served).toBeGreaterThan(0);
    await until('the six of the day are served', async () => {
      // For a moment this gateway may be refused what the other one has idle of the day's.
      if ((await ask()).status === 200) served += 1;
      return served >= 6;
    });
    expect(served).toBe(6);
    await until('who comes now is told so', async () => (await ask()).error?.message.includes('requests per day of the organization'));
  });
});
