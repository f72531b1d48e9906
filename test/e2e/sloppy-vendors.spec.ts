import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import { defaultSale } from '../support/cluster-seed.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { RawAnswer } from '../support/vendor-raw.js';
import { instruct, type VendorScript } from '../support/vendor-script.js';

/**
 * Vendors as they are: what was finished is delivered and completed, what was delivered is billed, and what failed is not,
 * whatever their HTTP, their events and their usage look like.
 */

type Raw = Partial<RawAnswer>;
const GRACE_MS = 400;
const HEARTBEAT_MS = 500;

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  const { baseUrl } = vendor;
  cluster = await startCluster({
    models: [
      { model: 'mock', maxOutputTokens: 4_000, lanes: [{ baseUrl }] },
      // The second lane answers where the first has failed.
      { model: 'spare', lanes: [{ baseUrl, upstreamModel: 'first' }, { baseUrl, upstreamModel: 'second' }] },
      { model: 'slow', lanes: [{ baseUrl, timeouts: { firstByteMs: 300, idleMs: 300 } }] },
      { model: 'drained', lanes: [{ baseUrl, drain: true }] },
    ],
    grants: ['100'],
    env: { ANSWER_GRACE_MS: String(GRACE_MS), HEARTBEAT_MS: String(HEARTBEAT_MS) },
  });
});

afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const event = (fields: object): string => `data: ${JSON.stringify(fields)}\n\n`;
const chunk = (delta: object, finish: string | null = null, more: object = {}): string =>
  event({ id: 'up-1', object: 'chat.completion.chunk', created: 1, model: 'theirs', choices: [{ index: 0, delta, finish_reason: finish }], ...more });
const usage = (prompt: number, completion: number, more: object = {}) => ({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion, ...more });
const usageEvent = (prompt: number, completion: number): string => event({ choices: [], usage: usage(prompt, completion) });
const body = (choices: object[], more: object = {}): string => JSON.stringify({ id: 'up-1', object: 'chat.completion', created: 1, model: 'theirs', choices, usage: usage(10, 2), ...more });
const choice = (message: object, finish: string | null = 'stop', index = 0) => ({ index, message: { role: 'assistant', ...message }, finish_reason: finish });
const done = 'data: [DONE]\n\n';

interface Got {
  status: number;
  id: string;
  text: string;
  reasoning: string;
  /** By choice; what a body says, or the last one that a stream said. */
  finishes: Record<number, string>;
  usage: { prompt_tokens: number; completion_tokens: number } | null;
  isDone: boolean;
  errorCode: string | null;
  heartbeats: number;
}

interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
}
interface Chunk {
  choices?: { index?: number; delta?: Delta; message?: Delta; finish_reason?: string | null }[];
  usage?: Got['usage'];
  error?: { code: string };
}

const take = (got: Got, { choices, usage: told, error }: Chunk): void => {
  for (const { index = 0, delta, message, finish_reason: finish } of choices ?? []) {
    got.text += (delta ?? message)?.content ?? '';
    got.reasoning += (delta ?? message)?.reasoning_content ?? '';
    if (finish) got.finishes[index] = finish;
  }
  got.usage = told ?? got.usage;
  got.errorCode = error?.code ?? got.errorCode;
};

interface Ask {
  model?: string;
  stream: boolean;
  script?: VendorScript;
  more?: object;
  signal?: AbortSignal;
  onText?: (got: Got) => void;
}

const ask = async ({ model = 'mock', stream, script = {}, more, signal, onText }: Ask): Promise<Got> => {
  const response = await fetch(`${cluster.gatewayUrls[0]!}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: instruct(script) }], ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}), ...more }),
    ...(signal ? { signal } : {}),
  });
  const got: Got = { status: response.status, id: response.headers.get('x-request-id')!, text: '', reasoning: '', finishes: {}, usage: null, isDone: false, errorCode: null, heartbeats: 0 };
  if (!response.headers.get('content-type')!.startsWith('text/event-stream')) {
    take(got, (await response.json()) as Chunk);
    got.isDone = response.status === 200;
    return got;
  }
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    rest += decoder.decode(bytes as Uint8Array, { stream: true });
    const events = rest.split('\n\n');
    rest = events.pop()!;
    for (const text of events) {
      if (text.startsWith(':')) got.heartbeats += 1;
      else if (text === 'data: [DONE]') got.isDone = true;
      else take(got, JSON.parse(text.slice('data: '.length)) as Chunk);
    }
    onText?.(got);
  }
  return got;
};

const stream = (raw: Raw, more: Partial<Ask> = {}): Promise<Got> => ask({ stream: true, script: { raw: { parts: [], ...raw } }, ...more });
const json = (raw: Raw, more: Partial<Ask> = {}): Promise<Got> => ask({ stream: false, script: { raw: { headers: { 'content-type': 'application/json' }, parts: [], ...raw } }, ...more });

interface Row {
  outcome: string;
  estimated: boolean;
  counts: Record<string, number>;
  charge: string;
}

const rowOf = (id: string): Promise<Row> =>
  until(`request ${id} is settled`, async () => (await cluster.sql<Row>('SELECT outcome, estimated, counts, trim_scale(charge)::text AS charge FROM usage WHERE id = $1 ORDER BY attempt DESC LIMIT 1', [id]))[0]);

const billed = (input: number, output: number) => ({ outcome: 'completed', estimated: false, counts: { input, output }, charge: defaultSale(input, output) });

/** `Hello` in two chunks, finished, with its usage of 10 and 2 tokens. */
const hello = [chunk({ role: 'assistant', content: '' }), chunk({ content: 'Hel' }), chunk({ content: 'lo' }), chunk({}, 'stop'), usageEvent(10, 2)];
const whole = { status: 200, text: 'Hello', finishes: { 0: 'stop' }, usage: { prompt_tokens: 10, completion_tokens: 2 }, isDone: true, errorCode: null };

describe('a finished stream is delivered, completed and billed by its usage', () => {
  it.each<[string, Raw]>([
    ['falls silent', { parts: hello, end: 'silence' }],
    ['resets its connection', { parts: hello, end: 'reset' }],
    ['closes its connection within the body', { parts: hello, end: 'fin' }],
    ['ends its body', { parts: hello }],
    ['ends a body that only the connection delimits', { parts: hello, framing: 'close' }],
    ['goes on with heartbeats', { parts: [...hello, ...Array<RawAnswer['parts'][number]>(20).fill({ waitMs: 100 }).flatMap((wait) => [wait, ': ping\n\n'])], end: 'silence' }],
    ['puts a blank behind [DONE]', { parts: [...hello, 'data: [DONE] \n\n'], end: 'silence' }],
    ['puts a tab around [DONE]', { parts: [...hello, 'data:\t[DONE]\t\r\n\r\n'], end: 'silence' }],
    ['sends an empty event', { parts: [...hello, 'data:\n\n', 'data: \n\n', done] }],
    ['sends an error behind its finish', { parts: [...hello, event({ error: { message: 'late' } })] }],
    ['sends half an event behind its finish', { parts: [...hello, 'data: {"choices":[{"del\n\n'] }],
    ['says its usage before its end', { parts: [...hello.slice(0, 3), usageEvent(10, 2), chunk({}, 'stop'), done] }],
    ['says its usage with the last content', { parts: [...hello.slice(0, 2), chunk({ content: 'lo' }, null, { usage: usage(10, 2) }), chunk({}, 'stop'), done] }],
    ['says zeros behind its usage', { parts: [...hello, usageEvent(0, 0), done] }],
  ])('when its vendor %s', async (_, raw) => {
    const got = await stream(raw);
    expect(got).toMatchObject(whole);
    expect(await rowOf(got.id)).toMatchObject(billed(10, 2));
  });

  it.each<[string, Raw]>([
    ['[DONE] comes', { parts: [...hello.slice(0, 3), usageEvent(10, 2), done], end: 'silence' }],
    ['a body in chunks ends', { parts: [...hello.slice(0, 3), usageEvent(10, 2)] }],
    ['a body of a known length ends', { parts: [...hello.slice(0, 3), usageEvent(10, 2)], framing: 'length' }],
  ])('with stop where no finish reason was sent and %s', async (_, raw) => {
    const got = await stream(raw);
    expect(got).toMatchObject(whole);
    expect(await rowOf(got.id)).toMatchObject(billed(10, 2));
  });

  it('with its last finish reason, and with the content that came after the first', async () => {
    const got = await stream({ parts: [chunk({ content: 'Hel' }, 'stop'), { waitMs: GRACE_MS / 2 }, chunk({ content: 'lo' }), { waitMs: GRACE_MS / 2 }, chunk({}, 'length'), usageEvent(10, 2)], end: 'silence' });
    expect(got).toMatchObject({ ...whole, finishes: { 0: 'length' } });
  });

  it.each<[string, Raw]>([
    ['only its connection delimits the body', { parts: hello.slice(0, 3), framing: 'close' }],
    ['its connection is reset', { parts: hello.slice(0, 3), end: 'reset' }],
    ['its connection closes within the body', { parts: hello.slice(0, 3), end: 'fin' }],
    ['an event is cut short', { parts: [...hello.slice(0, 3), 'data: {"choices":[{"del\n\n'], end: 'silence' }],
  ])('but not where no finish reason was sent and %s: that is an interruption', async (_, raw) => {
    const got = await stream(raw);
    expect(got).toMatchObject({ text: 'Hello', finishes: {}, isDone: false, errorCode: 'upstream_error' });
    expect(await rowOf(got.id)).toMatchObject({ outcome: 'interrupted', estimated: true });
  });
});

describe('content leaves as it comes, and finish reasons wait', () => {
  it('where every chunk says stop', async () => {
    const words = Array.from({ length: 50 }, (_, index) => ` word${index}`);
    const got = await stream({ parts: [...words.map((content) => chunk({ content }, 'stop')), usageEvent(10, 50), done] });
    expect(got).toMatchObject({ text: words.join(''), finishes: { 0: 'stop' }, isDone: true });
    expect(await rowOf(got.id)).toMatchObject(billed(10, 50));
  });

  it('where the whole answer stands in the chunk that finishes', async () => {
    const waiting = vendor.waiting();
    let early: Got | null = null;
    const running = stream({ parts: [chunk({ content: 'Hello' }, 'stop'), { gate: true }, usageEvent(10, 501), done] }, { onText: (got) => (early ??= structuredClone(got)) });
    await until('the vendor waits', () => vendor.waiting() > waiting);
    await until('the client has the text', () => early !== null);
    // The text is here, and nothing that completes the answer.
    expect(early).toMatchObject({ text: 'Hello', finishes: {}, isDone: false });
    vendor.letGo();
    expect(await running).toMatchObject({ text: 'Hello', finishes: { 0: 'stop' }, isDone: true });
  });

  it('for each of several choices', async () => {
    const of = (index: number, delta: object, finish: string | null = null): string => event({ choices: [{ index, delta, finish_reason: finish }] });
    const got = await stream({ parts: [of(0, { content: 'a' }), of(1, { content: 'b' }, 'stop'), of(0, { content: 'c' }, 'length'), usageEvent(10, 3), done] }, { more: { n: 2 } });
    expect(got).toMatchObject({ text: 'abc', finishes: { 0: 'length', 1: 'stop' }, isDone: true });
  });

  it('where the vendor ignores n: the answer has the choices that came', async () => {
    const got = await stream({ parts: [...hello, done] }, { more: { n: 3 } });
    expect(got).toMatchObject(whole);
    const answer = await json({ parts: [body([choice({ content: 'Hello' })])] }, { more: { n: 3 } });
    expect(answer).toMatchObject(whole);
    expect(await rowOf(answer.id)).toMatchObject(billed(10, 2));
  });
});

describe('an answer is an answer by its finish reason, even without text', () => {
  it.each<[string, object, string, object]>([
    ['stop at once', {}, 'stop', {}],
    ['length while it was reasoning', { reasoning_content: 'hm' }, 'length', { reasoning: 'hm' }],
    ['a content filter', {}, 'content_filter', {}],
    ['a refusal', { refusal: 'no' }, 'stop', {}],
    ['tool calls', { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }] }, 'tool_calls', {}],
  ])('%s', async (_, said, finish, expected) => {
    for (const got of [await stream({ parts: [chunk(said), chunk({}, finish), usageEvent(10, 2), done] }), await json({ parts: [body([choice({ content: null, ...said }, finish)])] })]) {
      expect(got).toMatchObject({ ...whole, text: '', finishes: { 0: finish }, ...expected });
      expect(await rowOf(got.id)).toMatchObject({ outcome: 'completed', estimated: false });
    }
  });
});

describe('an empty or failed 200', () => {
  const failures: [string, boolean, Raw][] = [
    ['a stream of [DONE] alone', true, { parts: [done] }],
    ['a stream of nothing', true, { parts: [] }],
    ['a stream of a role and usage', true, { parts: [chunk({ role: 'assistant', content: '' }), usageEvent(10, 0), done] }],
    ['a stream with an error beside no choices', true, { parts: [event({ choices: [], error: { message: 'overloaded', code: 529 } }), done] }],
    ['an event named error', true, { parts: ['event: error\ndata: {"message":"overloaded"}\n\n'] }],
    ["a stream finished with 'error'", true, { parts: [chunk({ content: '' }, 'error'), done] }],
    ['a page', true, { parts: ['<html>busy</html>'], headers: { 'content-type': 'text/html' } }],
    ['a body without choices', false, { parts: [body([])] }],
    ['a body with an error', false, { parts: [JSON.stringify({ choices: [], error: { message: 'overloaded', code: 529 } })] }],
    ["a body finished with 'error'", false, { parts: [body([choice({ content: '' }, 'error')])] }],
    ['a body with an empty message and no finish reason', false, { parts: [body([choice({ content: '' }, null)])] }],
    ['an empty body', false, { parts: [] }],
    ['a list', false, { parts: ['[{"error":{"message":"no"}}]'] }],
    ['half a body', false, { parts: [body([choice({ content: 'Hello' })]).slice(0, 100)] }],
  ];

  it.each(failures)('%s is not charged', async (_, isStream, raw) => {
    const got = await (isStream ? stream(raw) : json(raw));
    expect(got).toMatchObject({ text: '', isDone: false });
    expect(got.status).toBeGreaterThanOrEqual(500);
    expect(await rowOf(got.id)).toMatchObject({ outcome: 'upstream_failed', charge: '0' });
  });

  it.each(failures)('%s moves to the next lane', async (_, isStream, raw) => {
    vendor.control({ models: { first: { raw: { headers: { 'content-type': isStream ? 'text/event-stream' : 'application/json' }, parts: [], ...raw } } } });
    const got = await ask({ model: 'spare', stream: isStream, script: { outputTokens: 3 } });
    vendor.control({});
    expect(got).toMatchObject({ status: 200, isDone: true, usage: { completion_tokens: 3 } });
    expect(await rowOf(got.id)).toMatchObject({ outcome: 'completed', counts: { output: 3 } });
  });
});

describe('HTTP as it is out there', () => {
  const streams: [string, Raw][] = [
    ['events labelled as JSON', { parts: [...hello, done], headers: { 'content-type': 'application/json' } }],
    ['events without a content type', { parts: [...hello, done], headers: {} }],
    ['a body in place of a stream', { parts: [body([choice({ content: 'Hello' })])], headers: { 'content-type': 'application/json' } }],
    ['a body labelled as events', { parts: ['\n\n  ', body([choice({ content: 'Hello' })])] }],
    ['a byte order mark', { parts: ['\ufeff', ...hello, done] }],
    ['lines that end with CR LF, and no blank behind data:', { parts: [...hello, done].map((text) => text.replaceAll('\n', '\r\n').replace('data: ', 'data:')) }],
    ['keep-alives that are data', { parts: ['data: ping\n\n', 'data: : keep-alive\n\n', ...hello.slice(0, 3), 'data: {}\n\n', 'data: null\n\n', ...hello.slice(3), done] }],
    ['an id with a NUL', { parts: [...hello, done].map((text) => text.replace('up-1', 'up\\u0000-1')) }],
  ];
  it.each(streams)('as a stream: %s', async (_, raw) => {
    const got = await stream(raw);
    expect(got).toMatchObject(whole);
    expect(await rowOf(got.id)).toMatchObject(billed(10, 2));
  });

  const bodies: [string, Raw][] = [
    ['a body labelled as events', { parts: [body([choice({ content: 'Hello' })])], headers: { 'content-type': 'text/event-stream' } }],
    ['a body without a content type', { parts: [body([choice({ content: 'Hello' })])], headers: {} }],
    ['a stream in place of a body', { parts: [...hello, done], headers: { 'content-type': 'text/event-stream' } }],
    ['a byte order mark and blank lines', { parts: ['\ufeff\n\n', body([choice({ content: 'Hello' })]), '\n'] }],
    ['no finish reason', { parts: [body([choice({ content: 'Hello' }, null)])] }],
    ['an id with a NUL', { parts: [body([choice({ content: 'Hello' })]).replace('up-1', 'up\\u0000-1')] }],
    ['a connection that is reset behind the body', { parts: [body([choice({ content: 'Hello' })])], end: 'reset' }],
    ['a connection that falls silent behind the body', { parts: [body([choice({ content: 'Hello' })])], end: 'silence' }],
    ['a body that only the connection delimits', { parts: [body([choice({ content: 'Hello' })])], framing: 'close' }],
  ];
  it.each(bodies)('as a body: %s', async (_, raw) => {
    const got = await json(raw);
    expect(got).toMatchObject(whole);
    expect(await rowOf(got.id)).toMatchObject(billed(10, 2));
  });

  it('a body that begins after the first-byte deadline of streams', async () => {
    expect(await json({ parts: [{ waitMs: 2_500 }, body([choice({ content: 'Hello' })])] }, { model: 'slow' })).toMatchObject(whole);
  });
});

describe('a silent vendor', () => {
  it('keeps its client with comments, and the answer is whole', async () => {
    const got = await stream({ parts: [{ waitMs: 4 * HEARTBEAT_MS }, ...hello, done] });
    expect(got).toMatchObject(whole);
    expect(got.heartbeats).toBeGreaterThanOrEqual(1);
  });

  it('may still be replaced by another lane after a comment', async () => {
    vendor.control({ models: { first: { raw: { parts: [{ waitMs: 3 * HEARTBEAT_MS }], end: 'reset' } } } });
    const got = await ask({ model: 'spare', stream: true, script: { outputTokens: 3 } });
    vendor.control({});
    expect(got).toMatchObject({ status: 200, isDone: true, usage: { completion_tokens: 3 } });
    expect(got.heartbeats).toBeGreaterThanOrEqual(1);
  });

  it('that fails after a comment ends its stream with an error and charges nothing', async () => {
    const got = await stream({ parts: [{ waitMs: 3 * HEARTBEAT_MS }], end: 'reset' });
    expect(got).toMatchObject({ status: 200, text: '', isDone: false, errorCode: 'upstream_error' });
    expect(await rowOf(got.id)).toMatchObject({ outcome: 'upstream_failed', charge: '0' });
  });
});

describe('a client that leaves a lane that is drained', () => {
  it('pays by the usage that the vendor says at its end', async () => {
    const leaving = new AbortController();
    const waiting = vendor.waiting();
    let id = '';
    const running = stream(
      { parts: [chunk({ content: 'Hello' }), { gate: true }, chunk({ content: ' there' }), chunk({}, 'stop'), usageEvent(9_000, 40), done] },
      { model: 'drained', signal: leaving.signal, onText: (got) => (id = got.id) },
    );
    await until('the client has begun', () => id !== '' && vendor.waiting() > waiting);
    leaving.abort();
    await expect(running).rejects.toThrow();
    vendor.letGo();
    expect(await rowOf(id)).toMatchObject({ outcome: 'client_closed', estimated: false, counts: { input: 9_000, output: 40 } });
  });
});

describe('behind it all', () => {
  it('every invariant holds', async () => {
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled({ quarantineExpected: true });
  });
});
