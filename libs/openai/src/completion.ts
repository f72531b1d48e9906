import * as z from 'zod';
import { applyUsageWish, withheldNames, type WithheldParameter } from './extension-parameters.js';
import { choices, labelParameters, refuseStreamOptionsAlone, sharedParameters } from './request-parameters.js';
import { byType, faultAt, itemsOf, jsonShapes, type Parsed, requestParser } from '@kilotoken/contracts';

/** The body of the legacy `POST /v1/completions`: every parameter that OpenAI documents, and the gateway's own labels. */
export const promptsMax = 2048;

const tokensRefusal = 'Prompts of token ids are not supported: a model behind this gateway has a tokenizer of its own. Send text.';
const tokenPrompt = z.custom<string>(() => false, { error: tokensRefusal, params: { code: 'token_prompt_unsupported' } });
jsonShapes.set(tokenPrompt, () => ({ not: {} }));
const promptItem = byType({ string: z.string(), number: tokenPrompt, array: tokenPrompt });

const parameters = z.strictObject({
  ...sharedParameters,
  ...labelParameters,
  prompt: byType({ string: z.string(), array: itemsOf(promptItem, { min: 1, max: promptsMax }) }),
  best_of: choices,
  echo: z.boolean().nullish(),
  logprobs: z.int().min(0).max(5).nullish(),
  suffix: z.string().nullish(),
});

type Parameters = z.output<typeof parameters>;

const refuseContradictions = ({ value, issues }: z.core.ParsePayload<Parameters>): void => {
  const choicesAsked = value.n ?? 1;
  if (value.best_of == null || value.best_of === choicesAsked) return;
  if (value.best_of < choicesAsked) {
    issues.push(faultAt('conflicting_parameters', ['best_of'], "'best_of' must not be less than 'n'."));
  } else if (value.stream) {
    issues.push(faultAt('conflicting_parameters', ['best_of'], "'best_of' above 'n' cannot be streamed."));
  }
};

const contradictions = [refuseStreamOptionsAlone, refuseContradictions];

export const completionSchema = parameters.check(...contradictions);

export type CompletionRequest = Parsed<Parameters, WithheldParameter>;

/** Throws a `ContractError` that names the first parameter that is wrong. */
export const parseCompletion: (body: unknown) => CompletionRequest = requestParser(completionSchema, {
  contradictions,
  withheld: withheldNames,
  finish: applyUsageWish,
});

/** How many choices the answer has: `n` for each prompt. */
export const choiceCountOf = ({ prompt, n = 1 }: CompletionRequest): number => (typeof prompt === 'string' ? 1 : prompt.length) * n;
