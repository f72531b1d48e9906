import { baseCapabilities, loopbackModelId, type TokenClass } from '@kilotoken/contracts';
import { defaultModelSettings, type LaneOffer, type Listing } from '@kilotoken/marketplace';
import { parseMoney, type Money } from '@kilotoken/money';

/**
 * The models that the demo's company sells. Their vendors do not exist; their prices are as they were in 2026. The last lane of each
 * model is the loopback engine of the worker beside it, so that a call of any model is answered.
 */

/** USD per million tokens: of prompts, of cached prompts, of answers. Reasoning costs what answers cost. */
type Prices = readonly [input: string, cachedRead: string, output: string];

interface DemoLane {
  readonly vendor: DemoVendor;
  readonly cost: Prices;
}

export interface DemoModel {
  readonly id: string;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
  readonly sale: Prices;
  readonly lanes: readonly DemoLane[];
  /** The part of an answer that is reasoning; 0 where the model does not reason. */
  readonly reasoning: number;
  /** Of an answer. */
  readonly tokensPerSecond: number;
}

export type DemoVendor = 'northstar' | 'bluegrid' | 'tensorpeak';

/** From the dispatched request to the first token, without the prompt's share. */
export const firstTokenMs: Readonly<Record<DemoVendor, number>> = { northstar: 240, bluegrid: 420, tensorpeak: 310 };

export const demoModels: readonly DemoModel[] = [
  {
    id: 'orion-2-pro', contextWindow: 200_000, maxOutputTokens: 32_768, sale: ['3.00', '0.30', '15.00'], reasoning: 0.3, tokensPerSecond: 62,
    lanes: [{ vendor: 'northstar', cost: ['2.40', '0.24', '12.00'] }],
  },
  {
    id: 'orion-2-mini', contextWindow: 200_000, maxOutputTokens: 32_768, sale: ['0.40', '0.04', '2.00'], reasoning: 0, tokensPerSecond: 118,
    lanes: [{ vendor: 'northstar', cost: ['0.30', '0.03', '1.60'] }],
  },
  {
    id: 'llama-3.3-70b-instruct', contextWindow: 131_072, maxOutputTokens: 16_384, sale: ['0.70', '0.35', '0.90'], reasoning: 0, tokensPerSecond: 84,
    lanes: [{ vendor: 'bluegrid', cost: ['0.42', '0.21', '0.58'] }, { vendor: 'tensorpeak', cost: ['0.54', '0.27', '0.72'] }],
  },
  {
    id: 'llama-3.1-8b-instruct', contextWindow: 131_072, maxOutputTokens: 8_192, sale: ['0.08', '0.04', '0.12'], reasoning: 0, tokensPerSecond: 165,
    lanes: [{ vendor: 'tensorpeak', cost: ['0.04', '0.02', '0.06'] }, { vendor: 'bluegrid', cost: ['0.05', '0.025', '0.08'] }],
  },
  {
    id: 'qwen3-235b-a22b', contextWindow: 131_072, maxOutputTokens: 16_384, sale: ['0.35', '0.10', '2.60'], reasoning: 0.5, tokensPerSecond: 71,
    lanes: [{ vendor: 'bluegrid', cost: ['0.22', '0.06', '1.80'] }, { vendor: 'tensorpeak', cost: ['0.26', '0.08', '2.00'] }],
  },
  {
    id: 'qwen3-coder-480b', contextWindow: 262_144, maxOutputTokens: 32_768, sale: ['1.60', '0.40', '6.40'], reasoning: 0, tokensPerSecond: 76,
    lanes: [{ vendor: 'tensorpeak', cost: ['1.10', '0.28', '4.60'] }, { vendor: 'bluegrid', cost: ['1.25', '0.30', '5.00'] }],
  },
  {
    id: 'deepseek-v3.1', contextWindow: 131_072, maxOutputTokens: 16_384, sale: ['0.60', '0.15', '1.80'], reasoning: 0.4, tokensPerSecond: 48,
    lanes: [{ vendor: 'bluegrid', cost: ['0.40', '0.10', '1.20'] }, { vendor: 'tensorpeak', cost: ['0.46', '0.12', '1.36'] }],
  },
  {
    id: 'gpt-oss-120b', contextWindow: 131_072, maxOutputTokens: 16_384, sale: ['0.18', '0.09', '0.72'], reasoning: 0.35, tokensPerSecond: 205,
    lanes: [{ vendor: 'tensorpeak', cost: ['0.11', '0.055', '0.48'] }, { vendor: 'bluegrid', cost: ['0.13', '0.065', '0.54'] }],
  },
];

/** From this day on a model is sold for less: a second version of its price. */
export const priceCut = { day: 46, modelId: 'deepseek-v3.1', sale: ['0.50', '0.12', '1.50'] } as const satisfies { day: number; modelId: string; sale: Prices };

/** Token packages are counted in it, for one model: a token of a prompt is one, of an answer eight. */
export const demoPack = { unit: 'qwen-pack', modelId: 'qwen3-235b-a22b', weights: { input: '1', cached_read: '0.3', output: '8', reasoning: '8' } } as const;

const million = 1_000_000n;

const classesOf = ({ reasoning }: DemoModel): readonly TokenClass[] => ['input', 'cached_read', 'output', ...(reasoning > 0 ? (['reasoning'] as const) : [])];

const priceOf = (model: DemoModel, [input, cachedRead, output]: Prices): { currency: string; per: bigint; rates: Partial<Record<TokenClass, Money>> } => {
  const amounts: Partial<Record<TokenClass, string>> = { input, cached_read: cachedRead, output, reasoning: output };
  return { currency: 'USD', per: million, rates: Object.fromEntries(classesOf(model).map((name) => [name, parseMoney(amounts[name]!)])) };
};

const timeouts = { connectMs: 2_000, firstByteMs: 120_000, idleMs: 60_000, answerMs: 600_000 } as const;

const vendorLane = (model: DemoModel, { vendor, cost }: DemoLane): LaneOffer => ({
  kind: 'openai',
  // A name that no resolver knows (RFC 6761): the request goes on to the next lane at once.
  baseUrl: `https://api.${vendor}.example/v1`,
  upstreamModel: `${vendor}/${model.id}`,
  keyEnv: null,
  cost: priceOf(model, cost),
  capabilities: new Set([...baseCapabilities, 'tools', 'response_format', 'seed', ...(model.reasoning > 0 ? ['reasoning_effort'] : [])]),
  tokenClasses: new Set(classesOf(model)),
  tokenizer: 'o200k_base',
  timeouts,
  drain: false,
});

const loopbackLane = (workerUrl: string): LaneOffer => ({
  kind: 'worker',
  baseUrl: `${workerUrl}/v1`,
  upstreamModel: loopbackModelId,
  keyEnv: null,
  cost: { currency: 'USD', per: million, rates: { input: 0n, output: 0n } },
  capabilities: new Set(baseCapabilities),
  tokenClasses: new Set(['input', 'output']),
  tokenizer: 'o200k_base',
  timeouts,
  drain: false,
});

/** The models for sale on a day of the history. */
export const demoCatalogue = (workerUrl: string, day: number): Listing[] =>
  demoModels.map((model) => ({
    modelId: model.id,
    contextWindow: model.contextWindow,
    maxOutputTokens: model.maxOutputTokens,
    ...defaultModelSettings,
    sale: priceOf(model, model.id === priceCut.modelId && day >= priceCut.day ? priceCut.sale : model.sale),
    lanes: [...model.lanes.map((lane) => vendorLane(model, lane)), loopbackLane(workerUrl)],
  }));

/** Whether a history was loaded, by the models that are for sale. */
export const hasHistory = (modelIds: readonly string[]): boolean => demoModels.some(({ id }) => modelIds.includes(id));
