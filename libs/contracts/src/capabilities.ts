/**
 * The capabilities of lanes. A parameter that is present and not at its documented default needs its capability. If no lane has a
 * firm one, the request is refused with its name, because the answer would differ without it. Any other is dropped or refused, by the
 * model's or key's policy, and named to the client. No parameter is dropped silently.
 */
const openAiCapabilities = [
  'temperature',
  'top_p',
  'stop',
  'seed',
  'n',
  'max_tokens',
  /** The lane wants its bound under this newer name. */
  'max_completion_tokens',
  'penalties',
  'logit_bias',
  'logprobs',
  'tools',
  'custom_tools',
  'functions',
  'response_format',
  'reasoning_effort',
  'verbosity',
  'image_input',
  'audio_input',
  'audio_output',
  'audio_reference',
  'file_input',
  'file_reference',
  'file_url',
  'prediction',
  'web_search',
  'moderation',
  'prompt_cache',
  'service_tier',
  'store',
  'echo',
  'suffix',
  'best_of',
  'developer_role',
  /** Usage with every chunk of a stream (vLLM, SGLang): counts of a broken stream are exact then. */
  'continuous_usage',
] as const;

/** Parameters of vLLM, SGLang, llama.cpp, Ollama and OpenRouter that OpenAI does not have. */
export const extensionNames = [
  'top_k', 'min_p', 'top_a', 'typical_p', 'tfs_z', 'top_n_sigma', 'repetition_penalty', 'repeat_penalty', 'repeat_last_n', 'length_penalty',
  'mirostat', 'mirostat_tau', 'mirostat_eta', 'dry_multiplier', 'dry_base', 'dry_allowed_length', 'dry_penalty_last_n', 'xtc_probability',
  'xtc_threshold', 'dynatemp_range', 'dynatemp_exponent', 'use_beam_search', 'min_tokens', 'ignore_eos', 'stop_token_ids', 'allowed_token_ids',
  'bad_words', 'include_stop_str_in_output', 'no_stop_trim', 'skip_special_tokens', 'spaces_between_special_tokens', 'chat_template_kwargs',
  'add_generation_prompt', 'continue_final_message', 'add_special_tokens', 'documents', 'mm_processor_kwargs', 'truncate_prompt_tokens',
  'cache_control', 'cache_salt', 'cache_prompt', 'guided_json', 'guided_json_object', 'guided_regex', 'guided_choice', 'guided_grammar',
  'structured_outputs', 'regex', 'ebnf', 'grammar', 'reasoning', 'include_reasoning', 'reasoning_format', 'separate_reasoning', 'stream_reasoning',
  'thinking', 'thinking_budget', 'enable_thinking', 'prompt_logprobs', 'return_token_ids', 'return_tokens_as_token_ids',
] as const;
export type ExtensionParameter = (typeof extensionNames)[number];

/** Vendors' own fields of an answer. Each is a capability of the same name; a lane without it is not sent the field. */
export const answerFields = ['reasoning', 'reasoning_content', 'reasoning_details', 'thinking_blocks', 'extra_content', 'provider_specific_fields'] as const;
export type AnswerField = (typeof answerFields)[number];

export type Capability = (typeof openAiCapabilities)[number] | ExtensionParameter | AnswerField;

export const capabilities: readonly Capability[] = [...new Set<Capability>([...openAiCapabilities, ...extensionNames, ...answerFields])];

/** Capabilities without which an answer would be wrong; never dropped. */
export const firmCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'n',
  'max_tokens',
  'logprobs',
  'tools',
  'custom_tools',
  'functions',
  'response_format',
  'image_input',
  'audio_input',
  'audio_output',
  'audio_reference',
  'file_input',
  'file_reference',
  'file_url',
  'web_search',
  'moderation',
  'echo',
  'suffix',
  'best_of',
]);

/** The capabilities that a lane's configuration may declare. Nobody stores answers for clients yet, so `store` is not among them. */
export const declarableCapabilities: readonly Capability[] = capabilities.filter((name) => name !== 'store');

/** Null: no lane may ever have it. */
export type NeededCapability = { readonly capability: Capability | null; readonly param: string; readonly isFirm: boolean };

/** The capabilities of every lane, the in-process engine included; they are not declared. */
export const baseCapabilities: readonly Capability[] = ['temperature', 'top_p', 'stop', 'seed', 'n', 'max_tokens'];

/** The default capabilities of servers with OpenAI's API. Lanes declare the rest. */
export const openAiLaneCapabilities: readonly Capability[] = [...baseCapabilities, 'penalties'];
