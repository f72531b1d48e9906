import { randomInt } from 'node:crypto';
import { AppError } from '@kilotoken/platform';
import type { LlamaModel, Token } from 'node-llama-cpp';
import type { Engine, FinishReason, GenerationRequest, Plan, Run, RunSink, Sampling } from './engine.js';
import { loadLlamaContext, type LlamaSettings } from './llama-context.engine.js';
import { createPromptTokenizer } from './llama-prompt.engine.js';
import { createLlamaSequence } from './llama-sequence.engine.js';
import { modelIdOf } from './model-id.js';
import { createStepLoop, type StepMember } from './step-loop.js';
import { createStopMatcher } from './stop-matcher.js';
import { createTextAssembler } from './text-assembler.js';

export interface LlamaRun extends Run {
  readonly prompt: readonly Token[];
  readonly maxTokens: number;
  readonly sampling: Sampling;
  readonly seed: number;
}

const seedMax = 2 ** 31;
/** The sampler takes a part of the integers that a client may send. */
const foldSeed = (seed: number): number => ((seed % seedMax) + seedMax) % seedMax;

/** Loads the model and takes its memory. Rejects with the library's own errors when file, device or memory do not do. */
export const loadLlamaEngine = async (settings: LlamaSettings): Promise<Engine<LlamaRun>> => {
  if (settings.batchTokens <= settings.slots) throw new RangeError('a decode must have room for prompts beside a token of every sequence');
  const loop = createStepLoop(settings.batchTokens, settings.slots);
  const { llama, model, context } = await loadLlamaContext(settings, (decode) => {
    loop.decodeBegan();
    settings.onDecode?.(decode);
  });
  const contextTokens = context.contextSize;
  const tokenizePrompt = createPromptTokenizer(model, contextTokens);
  const places = Array.from({ length: settings.slots }, (_, row) => ({ row, sequence: context.getSequence() }));
  let lastFailure: unknown;

  const planRequest = (request: GenerationRequest): Plan<LlamaRun> => {
    const { sampling, choicesPerPrompt } = request;
    const firstSeed = sampling.seed ?? randomInt(seedMax);
    const prompts = tokenizePrompt(request.prompt);
    const runs = prompts.flatMap((prompt, promptIndex) =>
      Array.from({ length: choicesPerPrompt }, (_, answer): LlamaRun => {
        const choice = promptIndex * choicesPerPrompt + answer;
        const room = contextTokens - prompt.length;
        const maxTokens = Math.min(request.maxTokens ?? room, room);
        // Choices of one request would otherwise draw the same numbers and say the same.
        const seed = foldSeed(firstSeed + choice);
        return { choices: [choice], sequences: 1, kvTokens: prompt.length + maxTokens, prompt, maxTokens, sampling, seed };
      }),
    );
    return { promptTokens: prompts.reduce((sum, prompt) => sum + prompt.length, 0), runs };
  };

  const runChoice = async (run: LlamaRun, sink: RunSink, signal: AbortSignal): Promise<void> => {
    // The lowest row that is free: neighbours are computed together.
    const place = places.shift();
    if (!place) throw new Error('more runs than places: whoever runs them must keep to the slots');
    const { temperature, topP } = run.sampling;
    const sequence = createLlamaSequence(place, run.prompt, { temperature, topP, topK: settings.topK, seed: run.seed });
    try {
      await loop.join({ sequence, ...createAnswer(run, model, sink) }, signal);
      lastFailure = undefined;
    } catch (error) {
      lastFailure = error;
      throw new AppError({ code: 'internal_error', kind: 'bug', publicMessage: 'The engine failed to compute the answer.', cause: error });
    } finally {
      places.push(place);
      places.sort((one, other) => one.row - other.row);
    }
  };

  return {
    modelId: modelIdOf(settings.modelPath),
    kind: 'llama.cpp',
    contextTokens,
    plan: planRequest,
    run: runChoice,
    check: async () => {
      if (lastFailure !== undefined) throw new Error('the last decode failed', { cause: lastFailure });
    },
    close: async () => {
      await loop.close();
      await context.dispose();
      await model.dispose();
      await llama.dispose();
    },
  };
};

/** Makes an answer's text out of its tokens, and says whether it goes on. */
const createAnswer = ({ choices: [choice], prompt, maxTokens, sampling }: LlamaRun, model: LlamaModel, sink: RunSink): Omit<StepMember, 'sequence'> => {
  const assembler = createTextAssembler((tokens, previous) => model.detokenize(tokens as Token[], false, previous as Token[]));
  const matcher = createStopMatcher(sampling.stop);
  let completionTokens = 0;
  let text = '';
  let reason: FinishReason | null = null;

  /** Text in the assembler may still complete a stop string; text in the matcher no longer can. */
  const end = (because: FinishReason): void => {
    const last = matcher.push(assembler.flush());
    text += last.stopped ? last.text : last.text + matcher.flush();
    reason = last.stopped ? 'stop' : because;
  };
  return {
    take: (token) => {
      if (token === null) end('stop');
      else {
        completionTokens += 1;
        const match = matcher.push(assembler.push(token));
        text += match.text;
        if (match.stopped) reason = 'stop';
        else if (completionTokens === maxTokens) end('length');
      }
      return reason === null;
    },
    tell: () => {
      sink.usage({ promptTokens: prompt.length, completionTokens });
      if (text !== '') sink.text(choice!, text);
      text = '';
      if (reason !== null) sink.finish(choice!, reason);
    },
  };
};
