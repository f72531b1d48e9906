import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startCluster, type Cluster } from '../support/cluster.js';

/** Numbers that JavaScript does not hold, on their way through the gateway: digit by digit in free JSON, refused as parameters. */

let upstream: Server;
let cluster: Cluster;
const arrived: string[] = [];

const answer = JSON.stringify({
  id: 'a', object: 'chat.completion', created: 1, model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
});

beforeAll(async () => {
  upstream = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      arrived.push(Buffer.concat(pieces).toString());
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => upstream.once('listening', resolve));
  const { port } = upstream.address() as AddressInfo;
  const capabilities = ['tools', 'response_format', 'chat_template_kwargs'];
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: `http://127.0.0.1:${port}/v1`, capabilities }] }], grants: ['1000'] });
});
afterEach(() => void (arrived.length = 0));
afterAll(async () => {
  await cluster?.expectSettled();
  await cluster?.stop();
  upstream?.closeAllConnections();
  upstream?.close();
});

const post = async (body: string): Promise<{ status: number; error?: { code: string; param: string | null } }> => {
  const response = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' }, body });
  return { status: response.status, ...((await response.json()) as object) };
};

const numbers = ['9007199254740993', '-9223372036854775809', '18446744073686646784', '0.10000000000000000001', '1e400', '123456789012345678901234567890'];

describe.each([
  ['a small request', 'hello'],
  ['a request that a worker thread reads', 'hello '.repeat(50_000)],
])('%s', (_, text) => {
  it.each(numbers)('carries %s to the lane as it was written, in tools, schemas and arguments', async (number) => {
    const schema = `{"type":"object","properties":{"id":{"const":${number},"enum":[1,${number}]}}}`;
    const call = `{"id":"c","type":"function","function":{"name":"f","arguments":"{\\"id\\":${number}}"}}`;
    const messages = `[{"role":"user","content":"${text}"},{"role":"assistant","tool_calls":[${call}]},{"role":"tool","tool_call_id":"c","content":"1"}]`;
    const tools = `[{"type":"function","function":{"name":"f","parameters":${schema}}}]`;
    const format = `{"type":"json_schema","json_schema":{"name":"s","schema":${schema}}}`;
    expect(await post(`{"model":"mock","max_tokens":1,"messages":${messages},"tools":${tools},"response_format":${format}}`)).toMatchObject({ status: 200 });
    expect(arrived).toHaveLength(1);
    expect(arrived[0]).toContain(`"parameters":${schema}`);
    expect(arrived[0]).toContain(`"schema":${schema}`);
    expect(arrived[0]).toContain(call);
  });

  it('carries a large argument of a chat template as it was written', async () => {
    expect(await post(`{"model":"mock","max_tokens":1,"messages":[{"role":"user","content":"${text}"}],"chat_template_kwargs":{"budget":9007199254740993}}`)).toMatchObject({ status: 200 });
    expect(arrived[0]).toContain('"chat_template_kwargs":{"budget":9007199254740993}');
  });

  it.each(['seed', 'n', 'max_tokens', 'top_logprobs'])('is refused where %s is such a number', async (name) => {
    const asked = await post(`{"model":"mock","messages":[{"role":"user","content":"${text}"}],"${name}":18446744073686646784}`);
    expect([asked.status, asked.error?.param, arrived.length]).toEqual([400, name, 0]);
  });
});
