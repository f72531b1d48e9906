import { anything, byType, decimal, entriesOf, type ExtensionParameter, freeObject, isEmpty, itemsOf, mapped } from '@kilotoken/contracts';
import * as z from 'zod';
import { cacheControl } from './message-parts.js';

/**
 * Parameters of vLLM, SGLang, llama.cpp, Ollama and OpenRouter that OpenAI does not have. Each is typed, bounded, and a capability of the
 * same name: a lane that declares it is sent the parameter. Bounds keep values away that an engine could choke on; what adds tokens to a
 * prompt counts in `prompt-bound`, and none adds tokens to an answer beyond `max_tokens`.
 */
const int32Max = 2 ** 31 - 1;
const tokenIdsMax = 1024;
const wordsMax = 128;
const grammarLengthMax = 65_536;
const choicesMax = 1024;
const documentsMax = 256;

const flag = z.boolean().nullish();
const count = z.int().min(0).max(int32Max).nullish();
/** -1 stands for "all" or "off". */
const countOrNone = z.int().min(-1).max(int32Max).nullish();
const fraction = decimal(0, 1).nullish();
/** Zero would divide by it. */
const repetition = decimal(0.01, 2).nullish();
const strength = decimal(0, 100).nullish();
const tokenIds = itemsOf(z.int().min(0).max(int32Max), { max: tokenIdsMax }).nullish();
const grammar = z.string().max(grammarLengthMax).nullish();

const plainValue = byType({ boolean: z.boolean(), number: z.number(), string: z.string().max(1024), null: z.null() });

/** Names that a chat template or tokenizer gives a meaning of their own: they would change what the prompt's bound has counted. */
const reservedNames =
  /^(?:messages|conversation|tools|functions|documents|chat_template|tokenize|padding|truncation|max_length|return_\w+|tokenizer_kwargs)$/;
const argumentName = z.string().regex(/^[A-Za-z_]\w{0,63}$/).refine((name) => !reservedNames.test(name), 'this argument cannot be set');
const namedArguments = entriesOf(argumentName, plainValue, { max: 32 }).nullish();

const effort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).nullish();

const dropNulls = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, field]) => field != null)) as T;

const reasoning = mapped(
  z.object({ effort, max_tokens: count, exclude: flag, enabled: flag, summary: z.enum(['auto', 'concise', 'detailed']).nullish() }),
  dropNulls,
);
const thinking = byType({
  boolean: z.boolean(),
  object: mapped(z.object({ type: z.enum(['enabled', 'disabled', 'adaptive', 'auto']), budget_tokens: count }), dropNulls),
});

export const extensionParameters = {
  // Sampling.
  top_k: countOrNone,
  min_p: fraction,
  top_a: fraction,
  typical_p: fraction,
  tfs_z: fraction,
  top_n_sigma: decimal(-1, 100).nullish(),
  repetition_penalty: repetition,
  repeat_penalty: repetition,
  repeat_last_n: countOrNone,
  length_penalty: decimal(-10, 10).nullish(),
  mirostat: z.int().min(0).max(2).nullish(),
  mirostat_tau: strength,
  mirostat_eta: fraction,
  dry_multiplier: strength,
  dry_base: strength,
  dry_allowed_length: count,
  dry_penalty_last_n: countOrNone,
  xtc_probability: fraction,
  xtc_threshold: fraction,
  dynatemp_range: strength,
  dynatemp_exponent: strength,
  use_beam_search: flag,
  // Where an answer ends, and which tokens it may have.
  min_tokens: count,
  ignore_eos: flag,
  stop_token_ids: tokenIds,
  allowed_token_ids: tokenIds,
  bad_words: itemsOf(z.string().min(1).max(256), { max: wordsMax }).nullish(),
  include_stop_str_in_output: flag,
  no_stop_trim: flag,
  skip_special_tokens: flag,
  spaces_between_special_tokens: flag,
  // Parts of the prompt.
  chat_template_kwargs: namedArguments,
  add_generation_prompt: flag,
  continue_final_message: flag,
  add_special_tokens: flag,
  documents: itemsOf(entriesOf(z.string().max(64), z.string(), { max: 32 }), { max: documentsMax }).nullish(),
  mm_processor_kwargs: namedArguments,
  truncate_prompt_tokens: countOrNone,
  cache_control: cacheControl,
  cache_salt: z.string().min(1).max(256).nullish(),
  cache_prompt: flag,
  // The form of an answer.
  guided_json: byType({ object: freeObject, string: z.string().max(grammarLengthMax) }).nullish(),
  guided_json_object: flag,
  guided_regex: grammar,
  guided_choice: itemsOf(z.string().max(1024), { max: choicesMax }).nullish(),
  guided_grammar: grammar,
  structured_outputs: byType({ object: freeObject, boolean: z.boolean() }).nullish(),
  regex: grammar,
  ebnf: grammar,
  grammar,
  // Thinking.
  reasoning: reasoning.nullish(),
  include_reasoning: flag,
  reasoning_format: z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/).nullish(),
  separate_reasoning: flag,
  stream_reasoning: flag,
  thinking: thinking.nullish(),
  thinking_budget: countOrNone,
  enable_thinking: flag,
  // Parts of an answer beside its text.
  prompt_logprobs: z.int().min(0).max(20).nullish(),
  return_token_ids: flag,
  return_tokens_as_token_ids: flag,
} as const satisfies Record<ExtensionParameter, z.ZodType>;

/** Values that mean the same as leaving the parameter out. An empty array, object or text does so always. */
const neutralValues: { readonly [P in ExtensionParameter]?: readonly unknown[] } = {
  top_k: [-1, 0],
  min_p: [0],
  top_a: [0],
  typical_p: [1],
  tfs_z: [1],
  repetition_penalty: [1],
  repeat_penalty: [1],
  length_penalty: [1],
  mirostat: [0],
  dry_multiplier: [0],
  xtc_probability: [0],
  dynatemp_range: [0],
  min_tokens: [0],
  use_beam_search: [false],
  ignore_eos: [false],
  include_stop_str_in_output: [false],
  no_stop_trim: [false],
  skip_special_tokens: [true],
  spaces_between_special_tokens: [true],
  add_generation_prompt: [true],
  continue_final_message: [false],
  add_special_tokens: [false],
  guided_json_object: [false],
  structured_outputs: [false],
  include_reasoning: [true],
  separate_reasoning: [true],
  stream_reasoning: [true],
  prompt_logprobs: [0],
  return_token_ids: [false],
  return_tokens_as_token_ids: [false],
};

export const isNeutral = (name: ExtensionParameter, value: unknown): boolean => isEmpty(value) || neutralValues[name]?.includes(value) === true;

/**
 * Parameters of the same servers and of proxies that are never passed on: they choose a vendor, a model or a price, name addresses, files
 * or code, reach into a server's scheduling or another request's state, add to a prompt what nobody can bound, or shape an answer that the
 * gateway could not read. They are dropped or refused as a model or key says. `chat_template` is one of them: it is a program.
 */
export const withheldNames = [
  // Routing and money.
  'provider', 'models', 'route', 'transforms', 'plugins', 'preset', 'max_price', 'fallbacks', 'num_retries', 'timeout', 'drop_params',
  'additional_drop_params', 'allowed_openai_params', 'mock_response', 'guardrails', 'caching', 'session_id', 'chat_id', 'trace', 'debug',
  'enable_search', 'search_options', 'search_parameters', 'safety_model',
  // Programs, files and addresses at the server.
  'chat_template', 'template', 'logits_processors', 'custom_logit_processor', 'custom_params', 'lora_path', 'adapter_id', 'samplers',
  'guided_decoding_backend', 'guided_whitespace_pattern', 'stop_regex', 'json_schema', 'format',
  // Scheduling and state of the server.
  'priority', 'request_id', 'rid', 'session_params', 'kv_transfer_params', 'bootstrap_host', 'bootstrap_port', 'bootstrap_room',
  'data_parallel_rank', 'vllm_xargs', 'extra_key', 'id_slot', 'keep_alive', 'options', 'num_ctx', 'num_keep', 'num_batch', 'num_gpu',
  'num_thread', 'use_mmap', 'use_mlock', 't_max_predict_ms',
  // Prompts and answers that could not be bounded or read.
  'input_ids', 'num_predict', 'n_predict', 'n_keep', 'n_probs', 'safe_prompt', 'prompt_mode', 'random_seed', 'raw', 'think', 'do_sample',
  'return_hidden_states', 'return_routed_experts', 'return_progress', 'timings_per_token', 'incremental_output', 'result_format',
  'vl_high_resolution_images', 'prompt_truncate_len', 'context_length_exceeded_behavior',
] as const;

export type WithheldParameter = (typeof withheldNames)[number];

const withheldBy = <Name extends string>(names: readonly Name[]) =>
  Object.fromEntries(names.map((name) => [name, anything])) as Record<Name, typeof anything>;

export const withheldParameters = withheldBy(withheldNames);

/** Parameters of legacy completions, and of vLLM's chats. */
export const chatWithheldNames = [...withheldNames, 'echo'] as const;
export const chatWithheldParameters = withheldBy(chatWithheldNames);

/** OpenRouter's wish to be told the usage; see `applyUsageWish`. */
export const usageWish = z.object({ include: flag }).nullish();

interface WithUsageWish {
  stream?: boolean | null | undefined;
  stream_options?: { include_usage?: boolean | null | undefined } | null | undefined;
  usage?: unknown;
}

/** A stream that was asked for its usage in OpenRouter's way has it as if it was asked in OpenAI's. */
export const applyUsageWish = (request: WithUsageWish): void => {
  if (request.usage === undefined) return;
  const wish = request.usage as z.output<typeof usageWish>;
  delete request.usage;
  if (wish?.include && request.stream) request.stream_options = { ...request.stream_options, include_usage: true };
};
