import * as z from 'zod';
import { extensionParameters, usageWish, withheldParameters } from './extension-parameters.js';
import { byType, decimal, entriesOf, faultAt, itemsOf, mapped } from '@kilotoken/contracts';

/** The parameters that chat completions and legacy completions share, with OpenAI's bounds and some of ours. */
const choicesMax = 128;
const stopSequencesMax = 4;
const logitBiasMax = 1024;
const identifierLengthMax = 512;
const modelLengthMax = 256;

/** A label is stored, and a database's text holds no NUL. */
const label = z.string().regex(/^[^\0]*$/, 'must not contain a NUL character');

/** Null means "at its default" for every optional parameter, as OpenAI's own SDKs send it. */
const identifier = label.max(identifierLengthMax).nullish();
const penalty = decimal(-2, 2).nullish();
export const tokensMax = z.int().min(1).nullish();
export const choices = z.int().min(1).max(choicesMax).nullish();

export const sharedParameters = {
  ...extensionParameters,
  ...withheldParameters,
  usage: usageWish,
  model: z.string().min(1).max(modelLengthMax),
  frequency_penalty: penalty,
  logit_bias: entriesOf(z.string().regex(/^\d{1,10}$/), decimal(-100, 100), { max: logitBiasMax }).nullish(),
  max_tokens: tokensMax,
  n: choices,
  presence_penalty: penalty,
  seed: z.int().nullish(),
  stop: byType({ string: mapped(z.string(), (text) => text || null), array: itemsOf(z.string().min(1), { max: stopSequencesMax }) }).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().nullish(),
      include_obfuscation: z.boolean().nullish(),
      /** vLLM's and SGLang's: usage with every chunk, which the gateway asks of a lane by itself. */
      continuous_usage_stats: z.boolean().nullish(),
    })
    .nullish(),
  temperature: decimal(0, 2).nullish(),
  top_p: decimal(0, 1).nullish(),
  user: identifier,
} as const;

/** Parameters that the gateway itself uses to identify requests. */
export const labelParameters = {
  metadata: entriesOf(label.max(64), label.max(512), { max: 16 }).nullish(),
  prompt_cache_key: identifier,
  safety_identifier: identifier,
} as const;

/** `stream_options` beside a request that does not stream is a mistake that would otherwise pass unseen. */
export const refuseStreamOptionsAlone = ({
  value,
  issues,
}: z.core.ParsePayload<{ stream?: boolean | null; stream_options?: object | null }>): void => {
  if (value.stream_options && value.stream !== true) {
    issues.push(faultAt('conflicting_parameters', ['stream_options'], "'stream_options' is only allowed when 'stream' is true."));
  }
};
