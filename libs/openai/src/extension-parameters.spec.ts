import { describe, expect, test } from '@jest/globals';
import { capabilities, ContractError, extensionNames } from '@kilotoken/contracts';
import { parseChatCompletion } from './chat-completion.js';
import { parseCompletion } from './completion.js';
import { chatWithheldNames, withheldNames } from './extension-parameters.js';
import { buildUpstreamBody, type UpstreamOptions } from './upstream-body.js';

const minimal = { model: 'm', messages: [{ role: 'user', content: 'a' }] };
const chat = (changes: object) => parseChatCompletion({ ...minimal, ...changes });
const options: UpstreamOptions = { model: 'm', maxTokens: 100, maxTokensParam: 'max_tokens', stream: false, continuousUsage: false };
const sent = (changes: object, lane: readonly string[] = capabilities) => buildUpstreamBody(chat(changes), { ...options, capabilities: new Set(lane) });

/** A value of each that asks for something. */
const values: Record<string, unknown> = {
  top_k: 20, min_p: 0.1, top_a: 0.1, typical_p: 0.9, tfs_z: 0.9, top_n_sigma: 1, repetition_penalty: 1.1, repeat_penalty: 1.1, repeat_last_n: 64, length_penalty: 0.8,
  mirostat: 2, mirostat_tau: 5, mirostat_eta: 0.1, dry_multiplier: 0.8, dry_base: 1.75, dry_allowed_length: 2, dry_penalty_last_n: -1, xtc_probability: 0.5, xtc_threshold: 0.1,
  dynatemp_range: 0.5, dynatemp_exponent: 1, use_beam_search: true, min_tokens: 5, ignore_eos: true, stop_token_ids: [1], allowed_token_ids: [1], bad_words: ['a'],
  include_stop_str_in_output: true, no_stop_trim: true, skip_special_tokens: false, spaces_between_special_tokens: false, chat_template_kwargs: { enable_thinking: false },
  add_generation_prompt: false, continue_final_message: true, add_special_tokens: true, documents: [{ title: 'a', text: 'b' }], mm_processor_kwargs: { num_crops: 4 },
  truncate_prompt_tokens: 100, cache_control: { type: 'ephemeral' }, cache_salt: 'a', cache_prompt: true, guided_json: { type: 'object' }, guided_json_object: true, guided_regex: 'a+',
  guided_choice: ['a'], guided_grammar: 'root ::= "a"', structured_outputs: { regex: 'a+' }, regex: 'a+', ebnf: 'root ::= "a"', grammar: 'root ::= "a"', reasoning: { effort: 'low', exclude: true },
  include_reasoning: false, reasoning_format: 'hidden', separate_reasoning: false, stream_reasoning: false, thinking: { type: 'enabled', budget_tokens: 50 }, thinking_budget: 50,
  enable_thinking: false, prompt_logprobs: 1, return_token_ids: true, return_tokens_as_token_ids: true,
};

const refusalOf = (changes: object): Pick<ContractError, 'code' | 'param'> => {
  try {
    chat(changes);
  } catch (error) {
    if (error instanceof ContractError) return { code: error.code, param: error.param };
    throw error;
  }
  throw new Error('the request was accepted');
};

describe('a parameter of another server', () => {
  test('has a value below', () => expect(Object.keys(values).sort()).toEqual([...extensionNames].sort()));

  test.each(extensionNames)('%s reaches a lane that declares it, and no other', (name) => {
    expect(sent({ [name]: values[name] })[name]).toEqual(values[name]);
    expect(sent({ [name]: values[name] }, capabilities.filter((capability) => capability !== name))).not.toHaveProperty([name]);
    expect(parseCompletion({ model: 'm', prompt: 'a', [name]: values[name] })).toHaveProperty([name]);
    expect(chat({ [name]: null })).toEqual(minimal);
  });

  test.each(chatWithheldNames)('%s is accepted and never passed on', (name) => {
    for (const value of [1, 'a', true, ['a'], { a: 1 }]) {
      const request = chat({ [name]: value });
      expect(request).toEqual({ ...minimal, withheld: [name] });
      expect(Object.keys(buildUpstreamBody(request, options)).sort()).toEqual(['max_tokens', 'messages', 'model']);
    }
    for (const value of [null, false, '', [], {}]) expect(chat({ [name]: value })).toEqual(minimal);
  });

  test('of a legacy completion is withheld alike', () => {
    const asked = Object.fromEntries(withheldNames.map((name) => [name, 1]));
    expect(parseCompletion({ model: 'm', prompt: 'a', ...asked })).toEqual({ model: 'm', prompt: 'a', withheld: [...withheldNames] });
  });

  test.each(['api_base', 'base_url', 'api_key', 'organization', 'extra_headers', 'extra_body', 'custom_llm_provider', 'withheld'])('%s is no parameter at all', (name) => {
    expect(refusalOf({ [name]: ['a'] })).toEqual({ code: 'unknown_parameter', param: name });
  });

  test('within an answer is at most what was held for', () => {
    expect(sent({ min_tokens: 500 })['min_tokens']).toBe(100);
    expect(sent({ thinking_budget: 500 })['thinking_budget']).toBe(100);
    expect(sent({ reasoning: { max_tokens: 500, exclude: true } })['reasoning']).toEqual({ max_tokens: 100, exclude: true });
    expect(sent({ thinking: { type: 'enabled', budget_tokens: 500 } })['thinking']).toEqual({ type: 'enabled', budget_tokens: 100 });
    expect(sent({ thinking: true })['thinking']).toBe(true);
  });

  test.each<[object, string]>([
    [{ top_k: -2 }, 'integer_below_min_value'],
    [{ top_k: 2 ** 31 }, 'integer_above_max_value'],
    [{ top_k: 1.5 }, 'invalid_type'],
    [{ min_p: 1.1 }, 'decimal_above_max_value'],
    [{ repetition_penalty: 0 }, 'decimal_below_min_value'],
    [{ repetition_penalty: 3 }, 'decimal_above_max_value'],
    [{ min_tokens: -1 }, 'integer_below_min_value'],
    [{ ignore_eos: 'true' }, 'invalid_type'],
    [{ stop_token_ids: Array(1025).fill(1) }, 'array_above_max_length'],
    [{ bad_words: Array(129).fill('a') }, 'array_above_max_length'],
    [{ prompt_logprobs: 21 }, 'integer_above_max_value'],
    [{ prompt_logprobs: -1 }, 'integer_below_min_value'],
    [{ guided_regex: 'a'.repeat(65_537) }, 'string_above_max_length'],
    [{ guided_choice: Array(1025).fill('a') }, 'array_above_max_length'],
    [{ chat_template_kwargs: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`a${index}`, 1])) }, 'object_above_max_properties'],
    [{ chat_template_kwargs: { a: 'x'.repeat(1025) } }, 'string_above_max_length'],
    [{ chat_template_kwargs: { a: { b: 1 } } }, 'invalid_type'],
    [{ chat_template_kwargs: { messages: 'x' } }, 'invalid_value'],
    [{ chat_template_kwargs: { tools: 'x' } }, 'invalid_value'],
    [{ chat_template_kwargs: { chat_template: 'x' } }, 'invalid_value'],
    [{ mm_processor_kwargs: { return_tensors: 'pt' } }, 'invalid_value'],
    [{ documents: Array(257).fill({}) }, 'array_above_max_length'],
    [{ thinking: { type: 'yes' } }, 'invalid_value'],
    [{ cache_control: { type: 'forever' } }, 'invalid_value'],
    [{ reasoning: 'high' }, 'invalid_type'],
  ])('is bounded: %.60j', (changes, code) => {
    expect(refusalOf(changes).code).toBe(code);
  });
});

describe('what means nothing', () => {
  test.each<object>([{ tools: [] }, { functions: [] }, { stop: '' }, { stop: null }, { tools: null }, { usage: null }, { usage: { include: false } }, { usage: {} }])('is absent: %j', (changes) => {
    expect(chat(changes)).toEqual(minimal);
  });

  test('stays absent for the lane', () => {
    const body = sent({ tools: [], functions: [], stop: [], tool_choice: 'auto', parallel_tool_calls: true, function_call: 'none', modalities: [], logit_bias: {} }, ['temperature']);
    expect(Object.keys(body).sort()).toEqual(['max_tokens', 'messages', 'model']);
  });
});

test('a stream is asked for its usage in the way of OpenRouter too', () => {
  expect(chat({ stream: true, usage: { include: true } })).toEqual({ ...minimal, stream: true, stream_options: { include_usage: true } });
  expect(chat({ usage: { include: true } })).toEqual(minimal);
  expect(chat({ stream: true, stream_options: { continuous_usage_stats: true } })).toMatchObject({ stream_options: { continuous_usage_stats: true } });
});
