import { type Parameter, parameterCapability } from './needed-capabilities.js';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { CompletionRequest } from './completion.js';
import { messagesFor, toolsFor } from './upstream-messages.js';

/**
 * The body that goes to a lane, built anew from an allow-list: nothing of the client's body reaches a vendor because
 * nobody thought of it. `user`, `safety_identifier`, `prompt_cache_key` and `metadata` never leave, since they tell a
 * vendor about our customer's end users; `store` never leaves, since it would keep a prompt in the vendor's account.
 */
export type UpstreamOptions = {
  /** The model's name at the vendor. */
  readonly model: string;
  /** The bound that the gateway holds money for, whatever the client wrote. */
  readonly maxTokens: number;
  readonly maxTokensParam: 'max_tokens' | 'max_completion_tokens';
  readonly stream: boolean;
  /** Whether the lane can report usage with every chunk (vLLM, SGLang), which makes counts of a broken stream exact. */
  readonly continuousUsage: boolean;
  /**
   * The lane's capabilities. Other parameters are at their default or were dropped, and are not sent to a server that may not
   * know them. Absent: everything is passed on.
   */
  readonly capabilities?: ReadonlySet<string>;
};

/** Set by the gateway, or not the lane's business. */
const withheld: ReadonlySet<string> = new Set<Parameter>([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'metadata',
  'user',
  'safety_identifier',
  'prompt_cache_key',
  'store',
  'usage',
  'withheld',
]);

export const forwardedParameters: readonly Parameter[] = (Object.keys(parameterCapability) as Parameter[]).filter((name) => !withheld.has(name));
const forwarded: ReadonlySet<string> = new Set(forwardedParameters);

export const buildUpstreamBody = (request: ChatCompletionRequest | CompletionRequest, options: UpstreamOptions): Record<string, unknown> => {
  const body: Record<string, unknown> = { model: options.model };
  if ('messages' in request) body['messages'] = options.capabilities ? messagesFor(request.messages, options.capabilities) : request.messages;
  for (const name in request) {
    if (!forwarded.has(name)) continue;
    const capability = parameterCapability[name as Parameter];
    if (capability !== null && options.capabilities && !options.capabilities.has(capability)) continue;
    if (saysNothing(request, name)) continue;
    body[name] = valueFor(name, request[name as keyof typeof request], options);
  }
  body['prompt' in request ? 'max_tokens' : options.maxTokensParam] = options.maxTokens;
  if (options.stream) {
    body['stream'] = true;
    body['stream_options'] = options.continuousUsage ? { include_usage: true, continuous_usage_stats: true } : { include_usage: true };
  }
  return body;
};

/** Caps a client's bound within an answer at the bound that was held for, because servers refuse more. */
const valueFor = (name: string, value: unknown, { maxTokens, capabilities }: UpstreamOptions): unknown => {
  switch (name) {
    case 'tools':
      return capabilities ? toolsFor(value as NonNullable<ChatCompletionRequest['tools']>, capabilities) : value;
    case 'min_tokens':
    case 'thinking_budget':
      return Math.min(value as number, maxTokens);
    case 'reasoning':
      return withAtMost(value as object, 'max_tokens', maxTokens);
    case 'thinking':
      return typeof value === 'object' ? withAtMost(value as object, 'budget_tokens', maxTokens) : value;
    default:
      return value;
  }
};

const withAtMost = (value: object, field: string, most: number): object => {
  const asked = (value as Record<string, unknown>)[field];
  return typeof asked === 'number' && asked > most ? { ...value, [field]: most } : value;
};

/** Parameters that mean nothing as they stand, and that servers refuse then: a tool choice without tools, no stops. */
const saysNothing = (request: ChatCompletionRequest | CompletionRequest, name: string): boolean => {
  if (name === 'stop') return request.stop?.length === 0;
  if (name === 'tool_choice' || name === 'parallel_tool_calls') return !('tools' in request);
  return name === 'function_call' && !('functions' in request);
};
