import { baseCapabilities, loopbackModelId } from '@kilotoken/contracts';
import { localModelDefaults, loopbackContextTokens } from '@kilotoken/inference';
import { defaultModelSettings, type Listing } from '@kilotoken/marketplace';
import { parseMoney } from '@kilotoken/money';

/** The demo's models: the worker's local model, if there is one, and the loopback engine. */
export interface DemoModel {
  readonly id: string;
  /** The worker's room for a sequence (default: the worker's). */
  readonly contextWindow?: number;
}

/** Without a bound of its own a request holds the price of the longest answer: a few cents at most of the demo's package. */
const answerTokensMax = 8_192;
const perMillion = 1_000_000n;

/** The sale price and the cost of our own worker's model, per million tokens. */
export interface WorkerPrices {
  readonly sale: readonly [input: string, output: string];
  /** Our own machine is not for nothing either; the loopback engine is. */
  readonly cost: readonly [input: string, output: string];
}

export const workerListing = ({ id, contextWindow }: Required<DemoModel>, workerUrl: string, { sale, cost }: WorkerPrices): Listing => {
  const price = ([input, output]: readonly [string, string]) => ({
    currency: 'USD',
    per: perMillion,
    rates: { input: parseMoney(input), output: parseMoney(output) },
  });
  return {
    modelId: id,
    contextWindow,
    maxOutputTokens: Math.min(contextWindow, answerTokensMax),
    ...defaultModelSettings,
    sale: price(sale),
    lanes: [
      {
        kind: 'worker',
        baseUrl: `${workerUrl.replace(/\/+$/, '')}/v1`,
        upstreamModel: id,
        keyEnv: null,
        cost: price(cost),
        capabilities: new Set(baseCapabilities),
        tokenClasses: new Set(['input', 'output']),
        tokenizer: 'o200k_base',
        timeouts: { connectMs: 2_000, firstByteMs: 120_000, idleMs: 60_000, answerMs: 600_000 },
        drain: false,
      },
    ],
  };
};

/** Our own machine is not for nothing: what the local model costs, and what is assumed of an engine of our own. */
export const ownMachineCost = ['0.02', '0.08'] as const;

export const demoListings = (workerUrl: string, localModel: DemoModel | null): Listing[] => [
  ...(localModel ? [workerListing({ contextWindow: localModelDefaults.contextTokens, ...localModel }, workerUrl, { sale: ['0.10', '0.40'], cost: ownMachineCost })] : []),
  workerListing({ id: loopbackModelId, contextWindow: loopbackContextTokens }, workerUrl, { sale: ['0.15', '0.60'], cost: ['0', '0'] }),
];
