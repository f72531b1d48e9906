import { baseCapabilities, type Capability, ContractError } from '@kilotoken/contracts';
import { type ChatCompletionRequest, type ChatMessage, type CompletionRequest, neededCapabilities, parseChatCompletion, parseCompletion } from '@kilotoken/openai';
import type { ChatTurn, GenerationRequest, Prompt } from '@kilotoken/inference';

/**
 * A request of a gateway, read as strictly as if a stranger had sent it. Beside what OpenAI documents it may ask for
 * vLLM's `stream_options.continuous_usage_stats`: exact counts so far in every chunk.
 */
export type Operation = 'chat.completion' | 'text_completion';

export interface WorkerRequest {
  readonly operation: Operation;
  readonly model: string;
  readonly generation: GenerationRequest;
  /** Null: one JSON answer. */
  readonly stream: { readonly includeUsage: boolean; readonly continuousUsage: boolean } | null;
}

/** The parameters that every engine here honours. */
const honoured: ReadonlySet<Capability> = new Set([...baseCapabilities, 'developer_role']);

/** Throws a ContractError that names the parameter that is wrong, or that no engine here honours. */
export const readRequest = (operation: Operation, body: unknown): WorkerRequest => {
  const { continuousUsage, rest } = takeContinuousUsage(body);
  const request = operation === 'chat.completion' ? parseChatCompletion(rest) : parseCompletion(rest);
  const unmet = neededCapabilities(request).find(({ capability }) => capability === null || !honoured.has(capability));
  if (unmet) {
    throw new ContractError('unsupported_parameter', `The engine of this model does not honour '${unmet.param}'. Omit it or use its default.`, unmet.param);
  }
  return {
    operation,
    model: request.model,
    generation: {
      prompt: 'messages' in request ? { kind: 'chat', messages: request.messages.map(turnOf) } : textPrompt(request),
      choicesPerPrompt: request.n ?? 1,
      maxTokens: maxTokensOf(request),
      sampling: { temperature: request.temperature ?? 1, topP: request.top_p ?? 1, seed: request.seed ?? null, stop: stopsOf(request.stop) },
    },
    stream: request.stream ? { includeUsage: request.stream_options?.include_usage ?? false, continuousUsage } : null,
  };
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The one parameter that OpenAI does not know. The rest is left as it came, for the parser to judge. */
const takeContinuousUsage = (body: unknown): { continuousUsage: boolean; rest: unknown } => {
  if (!isObject(body) || !isObject(body['stream_options']) || !('continuous_usage_stats' in body['stream_options'])) return { continuousUsage: false, rest: body };
  const { continuous_usage_stats: asked, ...others } = body['stream_options'];
  if (typeof asked !== 'boolean') throw new ContractError('invalid_type', "Invalid type for 'stream_options.continuous_usage_stats': expected a boolean.", 'stream_options.continuous_usage_stats');
  return { continuousUsage: asked, rest: { ...body, stream_options: others } };
};

const maxTokensOf = (request: ChatCompletionRequest | CompletionRequest): number | null =>
  ('max_completion_tokens' in request ? request.max_completion_tokens : undefined) ?? request.max_tokens ?? null;

const stopsOf = (stop: string | string[] | undefined): string[] => (stop === undefined ? [] : typeof stop === 'string' ? [stop] : stop);

const textPrompt = ({ prompt }: CompletionRequest): Prompt => ({ kind: 'text', texts: typeof prompt === 'string' ? [prompt] : prompt });

/** Parts of a message are lines of one text, as vLLM joins them for templates that know text alone. */
const turnOf = (message: ChatMessage): ChatTurn => {
  switch (message.role) {
    case 'developer':
    case 'system':
      return { role: 'system', content: textOf(message.content) };
    case 'user':
      return { role: 'user', content: textOf(message.content) };
    case 'assistant':
      return { role: 'assistant', content: textOf(message.content ?? message.refusal ?? '') };
    case 'tool':
    case 'function':
      // neededCapabilities has refused them by name.
      throw new Error(`a message of role ${message.role} got past the capabilities`);
  }
};

const textOf = (content: string | readonly { type: string }[]): string =>
  typeof content === 'string' ? content : content.map((part) => ('text' in part ? String(part.text) : 'refusal' in part ? String(part.refusal) : '')).join('\n');
