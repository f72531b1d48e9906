import { createDispatcher, loadLlamaEngine } from '@kilotoken/inference';
import { systemClock } from '@kilotoken/platform';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { reportReady } from './child.js';
import { batchTokens, contextTokens, engineOrder, engineProcessArguments, type EngineOrder, type EngineResult } from './engine-order.js';

/**
 * What the worker is compared with, in a process of its own:
 *
 * - `bare`: node-llama-cpp as its documentation shows it. A loop over `sequence.evaluate` for each request, all at once.
 * - `in-step`: our engine behind its dispatcher, without HTTP. What the worker loses against it is the price of its face.
 */
type Compute = (order: EngineOrder) => Promise<EngineResult>;

const [kind, modelPath, slots, threads] = engineProcessArguments.parse(process.argv.slice(2));
const greedy = { temperature: 0, topK: 0, topP: 1 };
const decoded = { decodes: 0, sequences: 0 };
const observe = (sequences: number): void => {
  decoded.decodes += 1;
  decoded.sequences += sequences;
};

/** Runs all prompts at once; `generate` calls back for every token. */
const measure = async ({ prompts }: EngineOrder, generate: (prompt: string, index: number, onToken: () => void) => Promise<void>): Promise<EngineResult> => {
  Object.assign(decoded, { decodes: 0, sequences: 0 });
  const startedMs = performance.now();
  const firstTokenMs: number[] = [];
  let tokens = 0;
  await Promise.all(
    prompts.map(async (prompt, index) =>
      generate(prompt, index, () => {
        tokens += 1;
        firstTokenMs[index] ??= performance.now() - startedMs;
      }),
    ),
  );
  return { tokens, elapsedMs: performance.now() - startedMs, firstTokenMs, ...decoded };
};

const createBare = async (): Promise<Compute> => {
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({
    sequences: slots,
    contextSize: contextTokens,
    batchSize: batchTokens,
    threads,
    batching: {
      itemPrioritizationStrategy: ({ items, size }) => {
        observe(items.length);
        let left = size;
        return items.map((item) => {
          const processAmount = Math.min(item.tokens.length, left);
          left -= processAmount;
          return { item, processAmount };
        });
      },
    },
  });
  const sequences = Array.from({ length: slots }, () => context.getSequence());
  return async (order) =>
    measure(order, async (prompt, index, onToken) => {
      const sequence = sequences[index]!;
      let left = order.tokens;
      for await (const _token of sequence.evaluate(model.tokenize(prompt), greedy)) {
        onToken();
        left -= 1;
        if (left === 0) break;
      }
      await sequence.clearHistory();
    });
};

const createInStep = async (): Promise<Compute> => {
  const engine = await loadLlamaEngine({ modelPath, slots, contextTokens, batchTokens, threads, topK: 0, gpu: false, packageFolder: null, onDecode: ({ sequences }) => observe(sequences) });
  const kvTokensMax = slots * contextTokens;
  const dispatcher = createDispatcher(engine, { sequencesMax: slots, kvTokensMax, waitingSequencesMax: slots, waitingTokensMax: kvTokensMax }, systemClock);
  return async (order) => {
    let counted = 0;
    const result = await measure(order, async (prompt, _index, onToken) => {
      const request = { prompt: { kind: 'text', texts: [prompt] }, choicesPerPrompt: 1, maxTokens: order.tokens, sampling: { temperature: 0, topP: 1, seed: null, stop: [] } } as const;
      const generation = dispatcher.generate(request, { started: () => undefined, text: onToken, finish: () => undefined }, new AbortController().signal);
      await generation.ended;
      counted += generation.usage()!.completionTokens;
    });
    // A token may bring no text of its own: what was counted counts.
    return { ...result, tokens: counted };
  };
};

const compute = await (kind === 'bare' ? createBare() : createInStep());
process.on('message', (message) => {
  void compute(engineOrder.parse(message)).then((result) => process.send!(result));
});
reportReady({});
