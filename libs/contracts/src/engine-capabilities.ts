import type { Capability } from './capabilities.js';

/**
 * The capabilities of common servers beyond OpenAI's parameters, so that a lane can name its server instead of each parameter. It omits
 * features that an operator has to enable at the server (tools, vision, formats of a given backend).
 */
const sampling = ['top_k', 'min_p', 'repetition_penalty', 'logit_bias', 'penalties'] as const;
const ending = ['min_tokens', 'ignore_eos', 'stop_token_ids', 'skip_special_tokens', 'spaces_between_special_tokens'] as const;
const template = ['chat_template_kwargs', 'continue_final_message', 'continuous_usage', 'reasoning_content'] as const;

export const engineCapabilities = {
  vllm: [
    ...sampling, ...ending, ...template, 'length_penalty', 'allowed_token_ids', 'bad_words', 'include_stop_str_in_output', 'add_generation_prompt',
    'add_special_tokens', 'documents', 'mm_processor_kwargs', 'truncate_prompt_tokens', 'cache_salt', 'structured_outputs', 'guided_json',
    'guided_regex', 'guided_choice', 'guided_grammar', 'include_reasoning', 'prompt_logprobs', 'return_token_ids', 'return_tokens_as_token_ids',
    'reasoning', 'use_beam_search',
  ],
  sglang: [...sampling, ...ending, ...template, 'no_stop_trim', 'regex', 'ebnf', 'separate_reasoning', 'stream_reasoning'],
  llamacpp: [
    ...sampling, 'typical_p', 'top_n_sigma', 'repeat_penalty', 'repeat_last_n', 'mirostat', 'mirostat_tau', 'mirostat_eta', 'dry_multiplier', 'dry_base',
    'dry_allowed_length', 'dry_penalty_last_n', 'xtc_probability', 'xtc_threshold', 'dynatemp_range', 'dynatemp_exponent', 'ignore_eos', 'grammar',
    'cache_prompt', 'chat_template_kwargs', 'reasoning_format', 'reasoning_content',
  ],
  openrouter: [
    ...sampling, 'top_a', 'reasoning', 'include_reasoning', 'reasoning_details', 'cache_control', 'structured_outputs', 'verbosity', 'reasoning_effort',
  ],
} as const satisfies Record<string, readonly Capability[]>;

export type EngineName = keyof typeof engineCapabilities;

export const engineNames = Object.keys(engineCapabilities) as EngineName[];

export const isEngineName = (name: string): name is EngineName => Object.hasOwn(engineCapabilities, name);

/** The model of the engine that repeats what it is told: it proves the way of a request, and answers nobody's question. */
export const loopbackModelId = 'loopback';
