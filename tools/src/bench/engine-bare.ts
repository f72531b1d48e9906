import { createDispatcher, loadLlamaEngine } from '@kilotoken/inference';
import { systemClock } from '@kilotoken/platform';
import { getLlama, LlamaLogLevel, type LlamaContextSequence, type LlamaModel } from 'node-llama-cpp';
import { reportReady } from './child.js';
import { batchTokens, contextTokens, engineOrder, engineProcessArguments, type EngineOrder, type EngineResult } from './engine-order.js';

/**
 * The worker's competitors, each in its own process:
 *
 * - `bare`: the fastest loop that we can write with the public interface of node-llama-cpp. It asks all sequences for their
 *   next token at once and in the order of their rows, so each decode has all of them and llama.cpp computes them together.
 *   No request joins later, no token is streamed, and no check keeps a sequence's tokens from another one
 *   (libs/inference reads the first row of logits alone; this loop does not).
 * - `loops`: the documentation's way, a loop over `sequence.evaluate` for each request, all at once.
 * - `engine`: our engine behind its dispatcher, without HTTP. The worker's loss against it is the cost of its HTTP face.
 */
type Compute = (order: EngineOrder) => Promise<EngineResult>;
/** Runs all prompts at once and reports the prompt of each token. Answers the number of tokens. */
type Generate = (order: EngineOrder, onToken: (index: number) => void) => Promise<number>;

const [kind, modelPath, slots, threads] = engineProcessArguments.parse(process.argv.slice(2));
const greedy = { temperature: 0, topK: 0, topP: 1 };
const decoded = { decodes: 0, sequences: 0 };
const observe = (sequences: number): void => {
  decoded.decodes += 1;
  decoded.sequences += sequences;
};

const measured =
  (generate: Generate): Compute =>
  async (order) => {
    Object.assign(decoded, { decodes: 0, sequences: 0 });
    const startedMs = performance.now();
    const firstTokenMs: number[] = [];
    const tokens = await generate(order, (index) => {
      firstTokenMs[index] ??= performance.now() - startedMs;
    });
    return { tokens, elapsedMs: performance.now() - startedMs, firstTokenMs, ...decoded };
  };

const createSequences = async (): Promise<{ model: LlamaModel; sequences: LlamaContextSequence[] }> => {
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
  return { model, sequences: Array.from({ length: slots }, () => context.getSequence()) };
};

const createBare = async (): Promise<Generate> => {
  const { model, sequences } = await createSequences();
  return async ({ prompts, tokens }, onToken) => {
    let count = 0;
    let answers = prompts.map((prompt, index) => ({ index, tokens: sequences[index]!.evaluate(model.tokenize(prompt), greedy) }));
    for (let step = 0; step < tokens && answers.length > 0; step += 1) {
      const made = await Promise.all(answers.map(async (answer) => answer.tokens.next()));
      answers = answers.filter(({ index }, position) => {
        if (made[position]!.done) return false;
        onToken(index);
        count += 1;
        return true;
      });
    }
    await Promise.all(answers.map(async (answer) => answer.tokens.return()));
    await Promise.all(prompts.map(async (_prompt, index) => sequences[index]!.clearHistory()));
    return count;
  };
};

const createLoops = async (): Promise<Generate> => {
  const { model, sequences } = await createSequences();
  return async ({ prompts, tokens }, onToken) => {
    const counts = prompts.map(async (prompt, index) => {
      let count = 0;
      for await (const _token of sequences[index]!.evaluate(model.tokenize(prompt), greedy)) {
        onToken(index);
        count += 1;
        if (count === tokens) break;
      }
      await sequences[index]!.clearHistory();
      return count;
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };
};

const createEngine = async (): Promise<Generate> => {
  const engine = await loadLlamaEngine({ modelPath, slots, contextTokens, batchTokens, threads, topK: 0, gpu: false, packageFolder: null, onDecode: ({ sequences }) => observe(sequences) });
  const kvTokensMax = slots * contextTokens;
  const dispatcher = createDispatcher(engine, { sequencesMax: slots, kvTokensMax, waitingSequencesMax: slots, waitingTokensMax: kvTokensMax }, systemClock);
  return async ({ prompts, tokens }, onToken) => {
    const counts = prompts.map(async (prompt, index) => {
      const request = { prompt: { kind: 'text', texts: [prompt] }, choicesPerPrompt: 1, maxTokens: tokens, sampling: { temperature: 0, topP: 1, seed: null, stop: [] } } as const;
      const generation = dispatcher.generate(request, { started: () => undefined, text: () => onToken(index), finish: () => undefined }, new AbortController().signal);
      await generation.ended;
      // A token may add no text, so tokens are counted, not texts.
      return generation.usage()!.completionTokens;
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };
};

const create = { bare: createBare, loops: createLoops, engine: createEngine }[kind];
const compute = measured(await create());
process.on('message', (message) => {
  void compute(engineOrder.parse(message)).then((result) => process.send!(result));
});
reportReady({});
