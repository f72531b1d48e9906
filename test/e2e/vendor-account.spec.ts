import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import type { VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Our account with a vendor is our problem: the next lane answers, the operator is told, and the customer reads nothing of it. */

const VENDOR_KEY = 'vendor-key-5up3r-s3cr3t';

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor({ key: VENDOR_KEY });
  const lane = (upstreamModel: string) => ({ baseUrl: vendor.baseUrl, upstreamModel, keyEnv: 'VENDOR_KEY' });
  cluster = await startCluster({
    models: [
      { model: 'two', lanes: [lane('first'), lane('second')] },
      { model: 'one', lanes: [lane('only')] },
      { model: 'stream-only', lanes: [lane('streamed')] },
    ],
    grants: ['10'],
    env: { VENDOR_KEY },
  });
});
afterEach(async () => {
  vendor.control({});
  await cluster.expectSettled();
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const says = (status: number, body: unknown, contentType = 'application/json'): VendorScript => ({
  raw: { status, headers: { 'content-type': contentType, 'retry-after': '77' }, framing: 'length', parts: [typeof body === 'string' ? body : JSON.stringify(body)] },
});
const ask = (model: string, stream: boolean): Promise<Response> =>
  fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream, max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] }),
  });

const troubles: [string, VendorScript][] = [
  ['an invalid key as 400', says(400, [{ error: { code: 400, message: 'API key not valid. Please pass a valid API key.', status: 'INVALID_ARGUMENT' } }])],
  ['exhausted credit as 400', says(400, { type: 'error', error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the Anthropic API.' } })],
  ['exhausted credit as 429', says(429, { error: { message: 'You exceeded your current quota', type: 'insufficient_quota' } })],
  ['an unknown deployment as 404', says(404, { error: { code: 'DeploymentNotFound', message: 'The API deployment for this resource does not exist.' } })],
  ['a suspended account as 412', says(412, { error: { message: 'Account acme is suspended', code: 'PRECONDITION_FAILED' } })],
  ['a page of a proxy as 403', says(403, '<html>Forbidden</html>', 'text/html')],
];

describe.each([false, true])('with stream = %s', (stream) => {
  it.each(troubles)('%s moves on, and the customer gets its answer', async (_what, script) => {
    vendor.control({ models: { first: script } });
    const answer = await ask('two', stream);
    const text = await answer.text();
    expect([answer.status, text.includes(' time')]).toEqual([200, true]);
  });

  it.each(troubles)('%s on every lane is a 503 in our words that an SDK tries again', async (_what, script) => {
    vendor.control({ all: script });
    for (const model of ['one', 'two']) {
      const answer = await ask(model, stream);
      expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([503, 'true']);
      // Not the vendor's word on when our account will be in order.
      expect(answer.headers.get('retry-after')).not.toBe('77');
      expect(await answer.json()).toEqual({ error: { message: 'The model is not available at the moment.', type: 'server_error', param: null, code: 'lane_unavailable' } });
    }
  });

  it('an error that is about the request keeps its status and its text, without address and account', async () => {
    vendor.control({ all: says(400, { error: { message: "Invalid value: 'hot'. See https://vendor.example/docs of org-kpJh8SMPq6SLl0qT.", type: 'invalid_request_error', param: 'temperature', code: null } }) });
    const answer = await ask('two', stream);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: { message: "Invalid value: 'hot'.", type: 'invalid_request_error', param: 'temperature', code: 'invalid_value' } });
  });
});

/** Lines of the log that warn of a lane. */
const warningsOf = (upstreamModel: string): Record<string, unknown>[] =>
  cluster
    .logs()
    .split('\n')
    .filter((line) => line.includes('"lane.refused_us"') && line.includes(`"upstreamModel":"${upstreamModel}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it('within a stream that has begun it ends the stream in our words, and the operator is told', async () => {
  const chunk = `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: 'begun' }, finish_reason: null }] })}\n\n`;
  vendor.control({ all: { raw: { parts: [chunk, `data: ${JSON.stringify({ error: { message: 'Insufficient credits. Add more at https://vendor.example/credits', code: 402 } })}\n\n`] } } });
  const text = await (await ask('stream-only', true)).text();
  expect(text).toContain('begun');
  expect(text).toContain('{"error":{"message":"The model is not available at the moment.","type":"server_error","param":null,"code":"lane_unavailable"}}');
  expect(text).not.toMatch(/credits|vendor\.example|\[DONE\]/);
  await until('the warning is written', () => warningsOf('streamed').length > 0);
  expect(warningsOf('streamed')[0]).toMatchObject({ kind: 'account', upstreamStatus: 402, text: 'Insufficient credits. Add more at https://vendor.example/credits' });
});

it('the operator is told the lane, the status and the text, once and without the key', async () => {
  const warnings = (): Record<string, unknown>[] => warningsOf('only');
  await until('the warning is written', () => warnings().length > 0);
  const before = warnings().length;
  vendor.control({ all: says(401, { error: { message: `Incorrect API key provided: ${VENDOR_KEY}, or sk-proj-****abcd.`, code: 'invalid_api_key' } }) });
  for (let round = 0; round < 5; round += 1) expect((await ask('one', false)).status).toBe(503);
  expect(warnings()[0]).toMatchObject({ level: 'warn', kind: 'account', model: 'one', upstreamStatus: 400, text: 'API key not valid. Please pass a valid API key.' });
  // A warning may become due again in a test that takes long; five requests never make five.
  expect(warnings().length - before).toBeLessThanOrEqual(1);
  expect(cluster.logs()).not.toContain(VENDOR_KEY);
});
