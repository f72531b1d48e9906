import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { loopbackModelId } from '@kilotoken/contracts';
import { AppError } from '@kilotoken/platform';
import type { Engine, FinishReason, GenerationRequest, Plan, Prompt, Run, RunSink } from './engine.js';
import { createStopMatcher } from './stop-matcher.js';

/**
 * An engine without a model: it says what it was told, and in every answer that it is none. For load tests, and for
 * machines without the weights.
 *
 *   user: "Hello, world"  →  "[loopback engine] Hello, world"
 *
 * Tokens are words: a maximal run of characters that are not white space is one, with the white space before it. A prompt
 * counts its words, and one for the role of each message. Same request, same answer, byte for byte.
 */
export interface LoopbackSettings {
  /** Time between two tokens of an answer. 0 is as fast as it goes. */
  readonly tokenDelayMs: number;
}

export interface LoopbackRun extends Run {
  readonly promptTokens: number;
  readonly answers: readonly (readonly string[])[];
  readonly maxTokens: number;
  readonly stop: readonly string[];
}

export const loopbackContextTokens = 131_072;
const introduction = '[loopback engine]';
/** Without a delay the event loop is given to others this often. */
const tokensPerTurn = 64;

const wordsOf = (text: string): string[] => text.match(/\s*\S+/g) ?? [];
export const countLoopbackTokens = (text: string): number => wordsOf(text).length;

/** The tokens of each prompt. */
const countPrompts = (prompt: Prompt): number[] =>
  prompt.kind === 'chat'
    ? [prompt.messages.reduce((sum, { content }) => sum + 1 + countLoopbackTokens(content), 0)]
    : prompt.texts.map(countLoopbackTokens);

const echoedTexts = (prompt: Prompt): readonly string[] =>
  prompt.kind === 'chat' ? [prompt.messages.findLast(({ role }) => role === 'user')?.content ?? ''] : prompt.texts;

const planRequest = (request: GenerationRequest): Plan<LoopbackRun> => {
  const { prompt, choicesPerPrompt, sampling } = request;
  const counts = countPrompts(prompt);
  const promptTokens = counts.reduce((sum, count) => sum + count, 0);
  const longest = Math.max(...counts);
  if (longest >= loopbackContextTokens) {
    throw new AppError({
      code: 'context_length_exceeded',
      kind: 'invalid',
      publicMessage: `The prompt has ${longest} tokens, but this model's context of ${loopbackContextTokens} tokens must also hold the answer.`,
    });
  }
  const room = loopbackContextTokens - longest;
  const maxTokens = Math.min(request.maxTokens ?? room, room);
  const answers = echoedTexts(prompt).flatMap((text) => {
    const answer = wordsOf(`${introduction} ${text.trimStart()}`);
    return Array.from({ length: choicesPerPrompt }, () => answer);
  });
  const run: LoopbackRun = {
    choices: answers.map((_answer, choice) => choice),
    sequences: answers.length,
    kvTokens: 0,
    promptTokens,
    answers,
    maxTokens,
    stop: sampling.stop,
  };
  return { promptTokens, runs: [run] };
};

/** All choices advance together, a token each. */
const runAnswers = async ({ answers, maxTokens, stop, promptTokens }: LoopbackRun, sink: RunSink, signal: AbortSignal, tokenDelayMs: number): Promise<void> => {
  const matchers = answers.map(() => createStopMatcher(stop));
  const finished = new Set<number>();
  let completionTokens = 0;
  const say = (choice: number, text: string): void => {
    if (text !== '') sink.text(choice, text);
  };
  const finish = (choice: number, rest: string, reason: FinishReason): void => {
    say(choice, rest);
    finished.add(choice);
    sink.finish(choice, reason);
  };
  for (let index = 0; finished.size < answers.length; index++) {
    if (tokenDelayMs > 0) await delay(tokenDelayMs, undefined, { signal }).catch(() => undefined);
    else if (index % tokensPerTurn === tokensPerTurn - 1) await nextTurn();
    for (const [choice, answer] of answers.entries()) {
      if (signal.aborted) return;
      if (finished.has(choice)) continue;
      const matcher = matchers[choice]!;
      completionTokens += 1;
      sink.usage({ promptTokens, completionTokens });
      const { text, stopped } = matcher.push(answer[index]!);
      say(choice, text);
      if (stopped) finish(choice, '', 'stop');
      else if (index + 1 === answer.length) finish(choice, matcher.flush(), 'stop');
      else if (index + 1 === maxTokens) finish(choice, matcher.flush(), 'length');
    }
  }
};

export const createLoopbackEngine = ({ tokenDelayMs }: LoopbackSettings): Engine<LoopbackRun> => ({
  modelId: loopbackModelId,
  kind: 'loopback',
  contextTokens: loopbackContextTokens,
  plan: planRequest,
  run: async (run, sink, signal) => runAnswers(run, sink, signal, tokenDelayMs),
  check: async () => undefined,
  close: async () => undefined,
});
