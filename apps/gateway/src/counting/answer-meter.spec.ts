import { beforeAll, describe, expect, it } from '@jest/globals';
import { createStreamState, observeChunk } from '@kilotoken/openai';
import { createInlineOffload } from '@kilotoken/platform/offload';
import { pino } from 'pino';
import { absorbedLengthMin, AnswerMeter } from './answer-meter.js';
import * as jobs from './counting.jobs.js';
import { countText, createTextCounter } from './text-counter.js';
import { TokenCounter } from './token-counter.service.js';

let vocabulary: SharedArrayBuffer;
let counter: TokenCounter;
beforeAll(async () => {
  vocabulary = jobs.loadVocabulary('o200k_base');
  counter = new TokenCounter(createInlineOffload(async () => ({ loadVocabulary: () => vocabulary, countTexts: jobs.countTexts, countPrompt: jobs.countPrompt })), pino({ level: 'silent' }), () => undefined);
  await counter.load([]);
});

const exact = (text: string): number => countText(createTextCounter(jobs.openEncoding('o200k_base', vocabulary)), text).tokens;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const chunkOf = (delta: object): Record<string, unknown> => ({ choices: [{ index: 0, delta }] });

const open = () => {
  const state = createStreamState(1);
  const meter = new AnswerMeter(counter, 'o200k_base', 'a');
  const say = (delta: object): void => {
    observeChunk(state, chunkOf(delta));
    if (state.keptLength >= absorbedLengthMin) meter.take(state);
  };
  return { state, meter, say };
};

describe('the count of an answer while it comes', () => {
  it('is the count of the whole text, however often it was looked at in between', async () => {
    const words = ['Inter', 'oper', 'ability', ' and', ' 漢字', ' \n\n', "don", "'t", ' 👩‍👩', '‍👧', '12', '34', '5 '];
    const { state, meter, say } = open();
    let text = '';
    for (let index = 0; index < 400; index += 1) {
      const word = words[(index * 7) % words.length]!;
      text += word;
      say({ content: word });
      if (index % 3 === 0) meter.soFar(state);
      if (index % 50 === 0) await nextTurn();
    }
    expect(await meter.total(state)).toEqual({ output: exact(text), reasoning: 0 });
  });

  it('keeps no more of a long answer than what is not counted yet', async () => {
    const { state, meter, say } = open();
    const piece = 'The quick brown fox jumps over the lazy dog. '.repeat(20);
    let text = '';
    while (text.length < 5 * absorbedLengthMin) {
      text += piece;
      say({ content: piece });
      expect(state.keptLength).toBeLessThan(absorbedLengthMin + 2 * piece.length);
      await nextTurn();
    }
    expect(await meter.total(state)).toEqual({ output: exact(text), reasoning: 0 });
  });

  it('covers refusals, thoughts, calls and their arguments, each in its class', async () => {
    const { state, meter, say } = open();
    say({ reasoning_content: 'Let me think about it. ' });
    say({ content: 'The answer ' });
    say({ refusal: 'is withheld ' });
    say({ tool_calls: [{ index: 0, id: 'call_1', function: { name: 'lookup', arguments: '{"city":"Zürich"}' } }] });
    say({ function_call: { name: 'old', arguments: '{}' } });
    const text = 'The answer is withheld lookup{"city":"Zürich"}old{}';
    expect(await meter.total(state)).toEqual({ output: exact(text), reasoning: exact('Let me think about it. ') });
  });

  it('tells a checkpoint what is known without waiting, never more than the whole', async () => {
    const { state, meter, say } = open();
    const piece = '漢字 and words, '.repeat(1_000);
    say({ content: piece });
    const first = meter.soFar(state);
    expect(first.output).toBeLessThanOrEqual(exact(piece));
    await nextTurn();
    const second = meter.soFar(state).output!;
    expect(second).toBeGreaterThan(exact(piece) - 20);
    expect(await meter.total(state)).toEqual({ output: exact(piece), reasoning: 0 });
  });

  it('counts choices that take turns as if each had come alone', async () => {
    const state = createStreamState(3);
    const meter = new AnswerMeter(counter, 'o200k_base', 'a');
    // Read as one text, the digits of three choices would be a third of the tokens.
    for (let digit = 0; digit < 10; digit += 1) for (let index = 0; index < 3; index += 1) observeChunk(state, { choices: [{ index, delta: { content: `${digit} ${digit}` } }] });
    const text = Array.from({ length: 10 }, (_, digit) => `${digit} ${digit}`).join('');
    expect(await meter.total(state)).toEqual({ output: 3 * exact(text), reasoning: 0 });
  });

  it('counts what was spoken by its transcript and by the length of its sound', async () => {
    const { state, meter, say } = open();
    say({ audio: { transcript: 'hello world' } });
    say({ audio: { data: 'A'.repeat(64_000) } });
    expect(await meter.total(state)).toEqual({ output: 2, reasoning: 0, audio_out: 20 });
  });
});
