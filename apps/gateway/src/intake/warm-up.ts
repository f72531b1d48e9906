import { ContractError, scanJsonBody } from '@kilotoken/contracts';
import type { UpstreamOptions } from '@kilotoken/openai';
import type { Operation } from '../request/operation.js';
import { readSmall } from './read-request.js';

/** Schemas are compiled when they are first used, up to 100 ms for the one that says what is wrong: not while clients wait. */
const text = { model: 'm', messages: [{ role: 'user', content: 'a' }] };
const image = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };
const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];

const bodies: readonly (readonly [Operation, object])[] = [
  ['chat.completions', { ...text, max_tokens: 1, temperature: 0, top_p: 1, stop: ['a'], stream: true, stream_options: { include_usage: true }, user: 'u', metadata: { a: 'b' }, seed: 1, n: 1 }],
  ['chat.completions', { ...text, tools, tool_choice: 'auto', response_format: { type: 'json_object' }, max_completion_tokens: 1 }],
  ['chat.completions', { model: 'm', messages: [{ role: 'system', content: 'a' }, { role: 'user', content: [{ type: 'text', text: 'a' }, image] }, { role: 'assistant', tool_calls: [call] }, { role: 'tool', tool_call_id: 'c', content: 'a' }] }],
  ['chat.completions', { ...text, temperature: 9 }],
  ['completions', { model: 'm', prompt: 'a', max_tokens: 1 }],
  ['completions', { model: 'm', prompt: 'a', max_tokens: 0 }],
];

const options: UpstreamOptions = { model: 'm', maxTokens: 1, maxTokensParam: 'max_tokens', stream: false, continuousUsage: false };

export const warmUp = (): void => {
  for (const [operation, body] of bodies) {
    try {
      const request = readSmall(scanJsonBody(Buffer.from(JSON.stringify(body))), operation);
      void request.facts;
      request.body(options);
    } catch (error) {
      // Two of them are to be refused.
      if (!(error instanceof ContractError)) throw error;
    }
  }
};
