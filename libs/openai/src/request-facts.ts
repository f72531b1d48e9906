import { noMedia, type RequestFacts } from '@kilotoken/contracts';
import { neededCapabilities } from './needed-capabilities.js';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { CompletionRequest } from './completion.js';
import { mediaOf } from './media-bound.js';
import { predictionTokensBound, promptTokensBounds } from './prompt-bound.js';

/**
 * A request without its bulk. The bulk of a large body (messages, prompts, tools, schemas) stays where it was parsed, in a
 * worker thread; these small parts are all that the gateway itself needs of it.
 */

/** The parameters that admission, relay and traces read. Each is bounded by its schema. */
const paramNames = [
  'model',
  'stream',
  'stream_options',
  'n',
  'best_of',
  'max_tokens',
  'max_completion_tokens',
  'user',
  'safety_identifier',
  'metadata',
  'service_tier',
  'temperature',
  'top_p',
  'seed',
  'frequency_penalty',
  'presence_penalty',
] as const;

type ParamName = (typeof paramNames)[number];

export type RequestParams = Pick<ChatCompletionRequest, Exclude<ParamName, 'best_of'>> & Pick<CompletionRequest, 'best_of'>;

type AnyRequest = ChatCompletionRequest | CompletionRequest;

export const paramsOf = (request: AnyRequest): RequestParams =>
  Object.fromEntries(paramNames.flatMap((name) => (name in request ? [[name, request[name as keyof AnyRequest]]] : []))) as RequestParams;

export const factsOf = (request: AnyRequest): RequestFacts => ({
  needed: neededCapabilities(request),
  promptTokens: promptTokensBounds(request),
  media: 'messages' in request ? mediaOf(request) : noMedia,
  predictionTokens: 'messages' in request ? predictionTokensBound(request) : 0,
});
