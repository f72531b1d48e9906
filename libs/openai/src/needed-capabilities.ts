import { type Capability, extensionNames, type ExtensionParameter, firmCapabilities, type NeededCapability } from '@kilotoken/contracts';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { ChatMessage } from './chat-message.js';
import type { CompletionRequest } from './completion.js';
import { isNeutral } from './extension-parameters.js';

/**
 * Whose capability each parameter needs. Null: the gateway itself answers for it (it is always there, is a label of the
 * request, or needs a closer look below).
 */
export const parameterCapability = {
  model: null,
  messages: null,
  prompt: null,
  stream: null,
  stream_options: null,
  metadata: null,
  user: null,
  safety_identifier: null,
  prompt_cache_key: null,
  max_tokens: 'max_tokens',
  max_completion_tokens: 'max_tokens',
  temperature: 'temperature',
  top_p: 'top_p',
  stop: 'stop',
  seed: 'seed',
  n: 'n',
  frequency_penalty: 'penalties',
  presence_penalty: 'penalties',
  logit_bias: 'logit_bias',
  logprobs: 'logprobs',
  top_logprobs: 'logprobs',
  tools: 'tools',
  tool_choice: 'tools',
  parallel_tool_calls: 'tools',
  functions: 'functions',
  function_call: 'functions',
  response_format: 'response_format',
  reasoning_effort: 'reasoning_effort',
  verbosity: 'verbosity',
  audio: 'audio_output',
  modalities: 'audio_output',
  prediction: 'prediction',
  web_search_options: 'web_search',
  moderation: 'moderation',
  prompt_cache_options: 'prompt_cache',
  prompt_cache_retention: 'prompt_cache',
  service_tier: 'service_tier',
  store: 'store',
  echo: 'echo',
  suffix: 'suffix',
  best_of: 'best_of',
  usage: null,
  withheld: null,
  ...(Object.fromEntries(extensionNames.map((name) => [name, name])) as { readonly [P in ExtensionParameter]: P }),
} as const satisfies Record<keyof ChatCompletionRequest | keyof CompletionRequest, Capability | null>;

export type Parameter = keyof typeof parameterCapability;

type AnyRequest = ChatCompletionRequest | CompletionRequest;

/** Whether a value is the parameter's documented default, so that leaving it out means the same. */
const isDefault: { readonly [P in Parameter]?: (value: never, request: AnyRequest) => boolean } = {
  ...Object.fromEntries(extensionNames.map((name) => [name, (value: unknown) => isNeutral(name, value)])),
  temperature: (value: number) => value === 1,
  top_p: (value: number) => value === 1,
  stop: (value: string | string[]) => value.length === 0,
  n: (value: number) => value === 1,
  frequency_penalty: (value: number) => value === 0,
  presence_penalty: (value: number) => value === 0,
  logit_bias: (value: object) => Object.keys(value).length === 0,
  // Legacy completions count alternatives: zero still asks for the log probability of the token that was taken.
  logprobs: (value: boolean | number) => value === false,
  top_logprobs: (value: number) => value === 0,
  tool_choice: (value: unknown, request) => (hasTools(request) ? value === 'auto' : value === 'none' || value === 'auto'),
  parallel_tool_calls: (value: boolean) => value,
  function_call: (value: unknown, request) => ('functions' in request ? value === 'auto' : value === 'none' || value === 'auto'),
  response_format: (value: { type: string }) => value.type === 'text',
  verbosity: (value: string) => value === 'medium',
  audio: (_value: object, request) => !wantsAudio(request),
  modalities: (value: string[]) => !value.includes('audio'),
  service_tier: (value: string) => value === 'auto' || value === 'default',
  store: (value: boolean) => !value,
  echo: (value: boolean) => !value,
  prompt_cache_options: (value: { mode?: string | null }) => value.mode !== 'explicit',
  suffix: (value: string) => value === '',
  best_of: (value: number, request) => value === (request.n ?? 1),
};

const hasTools = (request: AnyRequest): boolean => 'tools' in request;
const wantsAudio = (request: AnyRequest): boolean => 'modalities' in request && request.modalities?.includes('audio') === true;

type Need = (capability: Capability, param: string) => void;

/**
 * The request's needs of a lane, in the order of its body, then of its messages: a firm capability once with the first parameter
 * that needs it, every other parameter by itself.
 */
export const neededCapabilities = (request: AnyRequest): NeededCapability[] => {
  const needed: NeededCapability[] = [];
  const need: Need = (capability, param) => {
    const isFirm = firmCapabilities.has(capability);
    const isKnown = needed.some((other) => (isFirm ? other.capability === capability : other.param === param));
    if (!isKnown) needed.push({ capability, param, isFirm });
  };
  for (const key in request) {
    const parameter = key as keyof AnyRequest;
    const capability = parameterCapability[parameter];
    const value = request[parameter];
    if (capability === null || value === undefined) continue;
    if (!isDefault[parameter]?.(value as never, request)) need(capability, parameter);
  }
  if ('messages' in request) needsOfMessages(request.messages, need);
  if ('tools' in request) needsOfTools(request.tools ?? [], need);
  for (const param of neverHonoured(request)) needed.push({ capability: null, param, isFirm: false });
  return needed;
};

/** Known parameters that nothing here supports. */
function* neverHonoured({ withheld, stream_options: options }: AnyRequest): Iterable<string> {
  if (withheld) yield* withheld;
  if (options?.include_obfuscation) yield 'stream_options.include_obfuscation';
  if (options?.continuous_usage_stats) yield 'stream_options.continuous_usage_stats';
}

const needsOfTools = (tools: NonNullable<ChatCompletionRequest['tools']>, need: Need): void => {
  if (tools.some((tool) => tool.type === 'custom')) need('custom_tools', 'tools');
  if (tools.some((tool) => 'cache_control' in tool && tool.cache_control)) need('cache_control', 'cache_control');
};

const needsOfMessages = (messages: readonly ChatMessage[], need: Need): void => {
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index]!;
    if (message.role === 'tool') need('tools', `messages[${index}].role`);
    else if (message.role === 'function') need('functions', `messages[${index}].role`);
    else if (message.role === 'assistant') {
      if (message.tool_calls?.length) need('tools', `messages[${index}].tool_calls`);
      if (message.function_call) need('functions', `messages[${index}].function_call`);
      // An earlier answer's audio lies with the vendor that made it, under an id of its own; its transcript is as good as a text.
      if (message.audio && message.content == null && message.audio.transcript == null) need('audio_reference', `messages[${index}].audio`);
    }
    if ('cache_control' in message && message.cache_control) need('cache_control', 'cache_control');
    if (Array.isArray(message.content)) needsOfParts(message.content, `messages[${index}].content`, need);
  }
};

type ContentPart = Extract<ChatMessage['content'], readonly unknown[]>[number];

const needsOfParts = (parts: readonly ContentPart[], path: string, need: Need): void => {
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    const param = `${path}[${index}]`;
    if (part.type === 'image_url') need('image_input', param);
    else if (part.type === 'input_audio') need('audio_input', param);
    else if (part.type === 'file') {
      need('file_input', param);
      // A file id names something in the vendor's account, which all our customers share.
      if (part.file.file_id != null) need('file_reference', `${param}.file.file_id`);
      if (part.file.file_url != null) need('file_url', `${param}.file.file_url`);
    }
    if ('prompt_cache_breakpoint' in part && part.prompt_cache_breakpoint) need('prompt_cache', 'prompt_cache_breakpoint');
    if ('cache_control' in part && part.cache_control) need('cache_control', 'cache_control');
  }
};
