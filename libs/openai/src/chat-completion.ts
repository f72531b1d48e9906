import * as z from 'zod';
import { messagesSchema } from './chat-message.js';
import { functionCallSchema, functionsSchema, responseFormatSchema, toolChoiceSchema, toolsSchema } from './chat-tools.js';
import { applyUsageWish, chatWithheldNames, chatWithheldParameters } from './extension-parameters.js';
import { textContent } from './message-parts.js';
import { labelParameters, refuseStreamOptionsAlone, sharedParameters, tokensMax } from './request-parameters.js';
import { byType, faultAt, itemsOf, type Parsed, requestParser } from '@kilotoken/contracts';

/**
 * The body of `POST /v1/chat/completions`: every parameter that OpenAI documents (its SDK's 6.49 types), and those of
 * other servers in `extension-parameters`. Whether a lane honours a parameter is decided later, by `capabilities.ts`.
 */
const moderationMode = z.strictObject({ mode: z.enum(['score', 'block']) }).nullish();

const approximateLocation = z.strictObject({
  city: z.string().nullish(),
  country: z.string().nullish(),
  region: z.string().nullish(),
  timezone: z.string().nullish(),
});

const parameters = z.strictObject({
  ...sharedParameters,
  ...labelParameters,
  ...chatWithheldParameters,
  messages: messagesSchema,
  audio: z
    .strictObject({
      format: z.enum(['wav', 'aac', 'mp3', 'flac', 'opus', 'pcm16']),
      voice: byType({ string: z.string().min(1), object: z.strictObject({ id: z.string() }) }),
    })
    .nullish(),
  function_call: functionCallSchema.nullish(),
  functions: functionsSchema.nullish(),
  logprobs: z.boolean().nullish(),
  max_completion_tokens: tokensMax,
  modalities: itemsOf(z.enum(['text', 'audio']), { max: 2 }).nullish(),
  moderation: z
    .strictObject({
      model: z.string(),
      policy: z.strictObject({ input: moderationMode, output: moderationMode }).nullish(),
    })
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  prediction: z.strictObject({ type: z.literal('content'), content: textContent }).nullish(),
  prompt_cache_options: z.strictObject({ mode: z.enum(['implicit', 'explicit']).nullish(), ttl: z.literal('30m').nullish() }).nullish(),
  prompt_cache_retention: z.enum(['in_memory', '24h']).nullish(),
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).nullish(),
  response_format: responseFormatSchema.nullish(),
  service_tier: z.enum(['auto', 'default', 'flex', 'scale', 'priority']).nullish(),
  store: z.boolean().nullish(),
  tool_choice: toolChoiceSchema.nullish(),
  tools: toolsSchema.nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  verbosity: z.enum(['low', 'medium', 'high']).nullish(),
  web_search_options: z
    .strictObject({
      search_context_size: z.enum(['low', 'medium', 'high']).nullish(),
      user_location: z.strictObject({ type: z.literal('approximate'), approximate: approximateLocation }).nullish(),
    })
    .nullish(),
});

type Parameters = z.output<typeof parameters>;

const refuseContradictions = ({ value, issues }: z.core.ParsePayload<Parameters>): void => {
  const refuse = (parameter: keyof Parameters, message: string): void => {
    issues.push(faultAt('conflicting_parameters', [parameter], message));
  };
  const { max_tokens: old, max_completion_tokens: current } = value;
  if (old != null && current != null && old !== current) {
    refuse('max_tokens', "'max_tokens' and 'max_completion_tokens' are two names of one limit and must not differ.");
  }
  if (value.top_logprobs != null && value.logprobs !== true) {
    refuse('top_logprobs', "'top_logprobs' is only allowed when 'logprobs' is true.");
  }
  if (value.tool_choice != null && value.tool_choice !== 'none' && value.tool_choice !== 'auto' && !value.tools) {
    refuse('tool_choice', "'tool_choice' is only allowed when 'tools' are specified.");
  }
  if (typeof value.function_call === 'object' && value.function_call && !value.functions) {
    refuse('function_call', "'function_call' is only allowed when 'functions' are specified.");
  }
  if (value.modalities?.includes('audio') && !value.audio) {
    refuse('audio', "'audio' is required when 'modalities' asks for audio.");
  }
};

const contradictions = [refuseStreamOptionsAlone, refuseContradictions];

export const chatCompletionSchema = parameters.check(...contradictions);

export type ChatCompletionRequest = Parsed<Parameters, (typeof chatWithheldNames)[number]>;

/** Throws a `ContractError` that names the first parameter that is wrong. */
export const parseChatCompletion: (body: unknown) => ChatCompletionRequest = requestParser(chatCompletionSchema, {
  contradictions,
  withheld: chatWithheldNames,
  finish: applyUsageWish,
});
