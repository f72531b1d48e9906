import { describe, expect, test } from '@jest/globals';
import type { CompletionCreateParams, CompletionCreateParamsNonStreaming } from 'openai/resources/completions';
import { choiceCountOf, type CompletionRequest, completionSchema, parseCompletion } from './completion.js';
import { ContractError, extensionNames } from '@kilotoken/contracts';
import { withheldNames } from './extension-parameters.js';

/** Fails to compile when the SDK documents a parameter that the schema does not know. */
type Undocumented = Exclude<keyof CompletionCreateParams, keyof CompletionRequest>;
const nothingUndocumented: [Undocumented] extends [never] ? true : Undocumented = true;

const everything: CompletionCreateParamsNonStreaming = {
  model: 'm',
  prompt: ['a', 'b'],
  best_of: 3,
  echo: true,
  frequency_penalty: 1,
  logit_bias: { '1': 1 },
  logprobs: 5,
  max_tokens: 5,
  n: 2,
  presence_penalty: 1,
  seed: 1,
  stop: 'x',
  stream: false,
  suffix: 's',
  temperature: 1,
  top_p: 1,
  user: 'u',
};

const refusalOf = (changes: object): { code: string; param: string | null } => {
  try {
    parseCompletion({ model: 'm', prompt: 'hello', ...changes });
  } catch (error) {
    if (error instanceof ContractError) return { code: error.code, param: error.param };
    throw error;
  }
  throw new Error('the request was accepted');
};

describe('legacy completions', () => {
  test('every parameter that the SDK documents is accepted and comes out unchanged', () => {
    expect(nothingUndocumented).toBe(true);
    expect(parseCompletion(everything)).toEqual(everything);
    const ours = ['metadata', 'prompt_cache_key', 'safety_identifier', 'stream_options'];
    const others = new Set<string>([...extensionNames, ...withheldNames, 'usage']);
    expect(Object.keys(completionSchema.shape).filter((name) => !others.has(name)).sort()).toEqual([...Object.keys(everything), ...ours].sort());
  });

  test('choices are counted over all prompts', () => {
    expect(choiceCountOf(parseCompletion(everything))).toBe(4);
    expect(choiceCountOf(parseCompletion({ model: 'm', prompt: 'a' }))).toBe(1);
  });

  test.each<[string, object, string, string]>([
    ['token ids', { prompt: [1, 2] }, 'token_prompt_unsupported', 'prompt[0]'],
    ['lists of token ids', { prompt: [[1], [2]] }, 'token_prompt_unsupported', 'prompt[0]'],
    ['texts and token ids', { prompt: ['a', [2]] }, 'token_prompt_unsupported', 'prompt[1]'],
    ['no prompt', { prompt: undefined }, 'missing_required_parameter', 'prompt'],
    ['a null prompt', { prompt: null }, 'invalid_type', 'prompt'],
    ['an empty list of prompts', { prompt: [] }, 'empty_array', 'prompt'],
    ['too many prompts', { prompt: Array(2049).fill('a') }, 'array_above_max_length', 'prompt'],
    ['messages', { messages: [] }, 'unknown_parameter', 'messages'],
    ['logprobs of a chat', { logprobs: true }, 'invalid_type', 'logprobs'],
    ['six logprobs', { logprobs: 6 }, 'integer_above_max_value', 'logprobs'],
    ['best_of below n', { n: 3, best_of: 2 }, 'conflicting_parameters', 'best_of'],
    ['a stream of the best', { best_of: 2, stream: true }, 'conflicting_parameters', 'best_of'],
    ['stream_options without stream', { stream_options: {} }, 'conflicting_parameters', 'stream_options'],
  ])('%s are refused by name', (_name, changes, code, param) => {
    expect(refusalOf(changes)).toEqual({ code, param });
  });
});
