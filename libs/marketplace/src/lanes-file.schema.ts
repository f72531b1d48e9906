import { z } from 'zod';
import { baseCapabilities, declarableCapabilities, engineCapabilities, engineNames, isEngineName, maxTokensPolicies, openAiLaneCapabilities, type TokenClass, tokenClasses, unsupportedParameterPolicies } from '@kilotoken/contracts';
import { parseMoney, type Money } from '@kilotoken/money';
import { laneKinds, laneTimeoutsSchema, type LaneKind, type LaneOffer } from './lane.js';
import { defaultModelSettings, lanesPerModelMax, listingsMax, modelIdPattern, type Listing } from './listing.js';

/**
 * The words of the lanes file. Every object is strict: a key that we do not know is refused, since a misspelt `cost` that
 * is read as "no cost" would lose money silently.
 */

/** The file writes token classes as it writes its other keys; the names that usage lines show are understood too. */
const classOfWord: Readonly<Record<string, TokenClass>> = {
  ...Object.fromEntries(tokenClasses.map((name) => [name, name])),
  cachedInput: 'cached_read',
  cacheWrite5m: 'cache_write_5m',
  cacheWrite1h: 'cache_write_1h',
  audioInput: 'audio_in',
  imageInput: 'image_in',
  audioOutput: 'audio_out',
  imageOutput: 'image_out',
};
const classWords = Object.keys(classOfWord);

/** Beyond this a mistake is likelier than a price, and holds would no longer fit into the database's amounts. */
const rateMax = parseMoney('1000000000000');
const contextWindowMax = 100_000_000;
const secretsOfOurs = ['DATABASE_URL', 'APP_DATABASE_URL', 'INTERNAL_TOKEN'];

const quoteHint = 'write amounts as quoted decimal strings, such as "0.15": YAML turns an unquoted one into a binary fraction';

const amount = z
  .string({ error: (issue) => (typeof issue.input === 'number' ? quoteHint : 'must be a quoted decimal string such as "0.15", or null for "no price"') })
  .transform((text, context): Money => {
    try {
      const money = parseMoney(text);
      if (money >= 0n && money <= rateMax) return money;
    } catch {
      // Said below: what is no exact amount and what is out of range need the same correction.
    }
    context.addIssue({ code: 'custom', message: 'must be an amount from "0" to "1000000000000" with at most 12 decimals' });
    return z.NEVER;
  });

const currency = z.string().regex(/^[A-Z]{3}$/, 'must be a currency code of three capital letters, such as USD');
const per = z.int('must be a whole number of tokens from 1, such as 1000000').min(1).max(Number.MAX_SAFE_INTEGER).transform(BigInt);

const rateKeys = Object.fromEntries(classWords.map((word) => [word, amount.nullable().optional()]));

/** A sale price or a cost: `{ currency, per, input, output, … }`. */
const rates = z.strictObject({ currency, per, ...rateKeys, input: amount.nullable(), output: amount.nullable() }).transform((value, context) => {
  const byClass: Partial<Record<TokenClass, Money | null>> = {};
  for (const word of classWords) {
    const rate = (value as Record<string, unknown>)[word] as Money | null | undefined;
    if (rate === undefined) continue;
    const tokenClass = classOfWord[word]!;
    if (tokenClass in byClass) context.addIssue({ code: 'custom', path: [word], message: `sets the rate of ${tokenClass} twice, under two names` });
    byClass[tokenClass] = rate;
  }
  return { currency: value.currency, per: value.per, rates: byClass };
});

const baseUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash) return text.trim().replace(/\/+$/, '');
  context.addIssue({
    code: 'custom',
    message: 'must be an http or https address without user, password, query or fragment; put a key into a variable and name that with keyEnv',
  });
  return z.NEVER;
});

const keyEnv = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable, not the key itself')
  .refine((name) => !secretsOfOurs.includes(name), 'this variable holds a secret of Kilotoken itself, which must not go to a vendor');

const tokenizers = ['o200k_base', 'cl100k_base', 'p50k_base', 'r50k_base'] as const;

const listOf = <Item extends string>(item: z.ZodType<Item>) => z.array(item).max(128);

type Capabilities = { readonly kind: LaneKind; readonly capabilities: readonly string[]; readonly lacks: readonly string[] };

/** The kind's capabilities and the declared ones, without `lacks`. An engine's name stands for all its capabilities. */
const expandCapabilities = ({ kind, capabilities, lacks }: Capabilities): string[] => {
  const declared = capabilities.flatMap((name): readonly string[] => (isEngineName(name) ? engineCapabilities[name] : [name]));
  return [...(kind === 'openai' ? openAiLaneCapabilities : baseCapabilities), ...declared].filter((name) => !lacks.includes(name));
};

const lane = z
  .strictObject({
    kind: z.enum(laneKinds),
    baseUrl,
    upstreamModel: z.string().regex(/^[\x21-\x7e]{1,256}$/, "must be the vendor's name for the model, up to 256 visible characters"),
    keyEnv: keyEnv.nullish(),
    cost: rates,
    capabilities: listOf(z.enum([...declarableCapabilities, ...engineNames])).default([]),
    lacks: listOf(z.enum(openAiLaneCapabilities.filter((name) => name !== 'max_tokens'))).default([]),
    tokenClasses: listOf(z.enum(classWords as [string, ...string[]])).optional(),
    tokenizer: z.enum(tokenizers).default('o200k_base'),
    timeouts: z.strictObject(laneTimeoutsSchema.shape).prefault({}),
    drain: z.boolean().default(false),
  })
  .transform((value): LaneOffer => ({
    kind: value.kind,
    baseUrl: value.baseUrl,
    upstreamModel: value.upstreamModel,
    keyEnv: value.keyEnv ?? null,
    cost: value.cost,
    capabilities: new Set(expandCapabilities(value)),
    // A vendor returns the classes that it bills. `input` and `output` are always among them.
    tokenClasses: new Set<TokenClass>([
      'input',
      'output',
      ...(value.tokenClasses?.map((word) => classOfWord[word]!) ?? (Object.keys(value.cost.rates) as TokenClass[])),
    ]),
    tokenizer: value.tokenizer,
    timeouts: value.timeouts,
    drain: value.drain,
  }));

const model = z
  .strictObject({
    model: z.string().regex(modelIdPattern, 'must be a model id: up to 128 letters, digits and . _ : / @ -, starting with a letter or digit'),
    contextWindow: z.int('must be a whole number of tokens from 1').min(1).max(contextWindowMax),
    maxOutputTokens: z.int('must be a whole number of tokens from 1').min(1).max(contextWindowMax),
    imageTokens: z.int('must be a whole number of tokens from 1').min(1).max(contextWindowMax).nullable().default(defaultModelSettings.imageTokens),
    unsupportedParameters: z.enum(unsupportedParameterPolicies).default(defaultModelSettings.unsupportedParameters),
    maxTokensAbove: z.enum(maxTokensPolicies).default(defaultModelSettings.maxTokensAbove),
    sale: rates,
    lanes: z.array(lane).min(1, 'must have at least one lane').max(lanesPerModelMax),
  })
  .transform(({ model: modelId, ...terms }): Listing => ({ modelId, ...terms }))
  // After the transform: it is skipped where a part is wrong, and so is what compares the parts.
  .superRefine((value, context) => {
    if (value.maxOutputTokens > value.contextWindow) {
      context.addIssue({ code: 'custom', path: ['maxOutputTokens'], message: 'must not exceed contextWindow' });
    }
    if (value.imageTokens !== null && value.imageTokens > value.contextWindow) {
      context.addIssue({ code: 'custom', path: ['imageTokens'], message: 'must not exceed contextWindow' });
    }
    for (const [index, offer] of value.lanes.entries()) {
      const unpriced = [...offer.tokenClasses].filter((tokenClass) => !(tokenClass in value.sale.rates));
      if (unpriced.length > 0) {
        const message = `the lane can return ${unpriced.join(', ')}, for which sale has no rate, so every request would be refused`;
        context.addIssue({ code: 'custom', path: ['lanes', index], message: `${message}: add the rate (null refuses on purpose)` });
      }
    }
  });

const emptyHint = 'the file needs a list under the key "models"';

export const lanesFileSchema = z.strictObject(
  { models: z.array(model, { error: emptyHint }).max(listingsMax) },
  { error: (issue) => (issue.code === 'invalid_type' ? emptyHint : undefined) },
);
