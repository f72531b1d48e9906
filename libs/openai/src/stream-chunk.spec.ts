import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Fields } from '@kilotoken/contracts';
import { createStreamState, isAnswered, isFinished, observeChunk, splitChoices, type StreamState, takeGenerated } from './stream-chunk.js';

const delta = (fields: object, index = 0, finishReason: unknown = null) => ({ index, delta: fields, finish_reason: finishReason });
const chunkOf = (...choices: unknown[]) => ({ id: 'c', object: 'chat.completion.chunk', choices });

const observeAll = (state: StreamState, ...chunks: Fields[]) => chunks.map((chunk) => observeChunk(state, chunk));

describe('an answer', () => {
  test('is finished when every choice that was asked for has a finish reason, in whatever order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), (order) => {
        const state = createStreamState(8);
        const finished = order.map((index) => {
          observeChunk(state, chunkOf(delta({ content: 'x' }, index, 'length')));
          return isFinished(state);
        });
        expect(finished).toEqual([...Array(7).fill(false), true]);
      }),
    );
  });

  test('is answered when every choice that began has a finish reason: a vendor may ignore n', () => {
    const state = createStreamState(3);
    expect(isAnswered(state)).toBe(false);
    observeAll(state, chunkOf(delta({ role: 'assistant', content: '' }, 0)), chunkOf(delta({ content: 'a' }, 1)));
    expect(isAnswered(state)).toBe(false);
    observeChunk(state, chunkOf(delta({}, 1, 'stop')));
    expect([isAnswered(state), isFinished(state)]).toEqual([true, false]);
  });

  test('keeps the last finish reason of each choice', () => {
    const state = createStreamState(2);
    observeAll(state, chunkOf(delta({ content: 'a' }, 0, 'stop')), chunkOf(delta({ content: 'b' }, 0, 'length')), chunkOf(delta({}, 1, 'stop')), chunkOf(delta({}, 1, 'tool_calls')));
    expect([...state.finishReasons]).toEqual([[0, 'length'], [1, 'tool_calls']]);
  });

  test.each([['an empty reason', ''], ['null', null], ['a truth', true], ['a number', 0]])('is not finished by %s', (_name, reason) => {
    const state = createStreamState(1);
    observeChunk(state, chunkOf(delta({ content: 'a' }, 0, reason)));
    expect(isFinished(state)).toBe(false);
  });

  test.each([1, -1, 0.5, '0', 'x'])('of a single choice ends, whatever its vendor calls it (%j)', (index) => {
    const state = createStreamState(1);
    observeChunk(state, chunkOf({ index, delta: { content: 'x' }, finish_reason: 'stop' }));
    expect(isFinished(state)).toBe(true);
  });

  test("with the finish reason 'error' has failed", () => {
    expect(observeChunk(createStreamState(1), chunkOf(delta({}, 0, 'error')))).toMatchObject({ kind: 'error' });
  });
});

describe('an observation', () => {
  test.each<[string, object, boolean, boolean]>([
    ['a role', delta({ role: 'assistant', content: '' }), false, false],
    ['nulls and empty lists', delta({ content: null, tool_calls: [], refusal: null }), false, false],
    ['content', delta({ content: 'a' }), true, false],
    ['a tool call', delta({ tool_calls: [{ index: 0 }] }), true, false],
    ['a field that nobody knows', delta({ brand_new: { a: 1 } }), true, false],
    ['legacy text', { index: 0, text: 'a', finish_reason: null }, true, false],
    ['a finish', delta({}, 0, 'stop'), false, true],
    ['content and a finish', delta({ content: 'a' }, 0, 'stop'), true, true],
  ])('says whether %s generates and finishes', (_name, choice, generates, finishes) => {
    expect(observeChunk(createStreamState(1), chunkOf(choice))).toEqual({ kind: 'chunk', generates, finishes, fault: null });
  });
});

describe('splitting choices', () => {
  test('lets what was generated go and keeps the finish reason back', () => {
    const chunk = chunkOf(delta({ content: 'Hi' }, 0, 'stop'), delta({ content: 'there' }, 1), { ...delta({}, 2, 'length'), stop_reason: 7 });
    expect(splitChoices(chunk)).toEqual({
      generated: [delta({ content: 'Hi' }, 0), delta({ content: 'there' }, 1)],
      finished: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }, { ...delta({}, 2, 'length'), stop_reason: 7 }],
    });
  });

  test('does the same for legacy completions', () => {
    expect(splitChoices(chunkOf({ index: 0, text: 'Hi', finish_reason: 'stop' }))).toEqual({
      generated: [{ index: 0, text: 'Hi', finish_reason: null }],
      finished: [{ index: 0, text: '', logprobs: null, finish_reason: 'stop' }],
    });
  });

  test.each([true, 5, ['stop'], {}])('passes on no finish reason that is no text (%j)', (reason) => {
    const state = createStreamState(1);
    const chunk = chunkOf(delta({ content: 'a' }, 0, reason));
    expect(observeChunk(state, chunk)).toMatchObject({ finishes: true, fault: expect.any(String) });
    expect([isFinished(state), splitChoices(chunk)]).toEqual([false, { generated: [delta({ content: 'a' }, 0)], finished: [] }]);
  });

  test('loses no text and no finish reason, and keeps the two apart', () => {
    const choice = fc.record({ index: fc.nat({ max: 3 }), delta: fc.record({ content: fc.constantFrom('', 'x', null) }), finish_reason: fc.constantFrom(null, '', 'stop', 'length') });
    fc.assert(
      fc.property(fc.array(choice, { maxLength: 4 }), (choices) => {
        const { generated, finished } = splitChoices(chunkOf(...choices));
        const textOf = (list: readonly Fields[]): string => list.map(({ delta: said }) => (said as { content?: string }).content ?? '').join('');
        expect(textOf(generated)).toBe(textOf(choices));
        expect(textOf(finished)).toBe('');
        expect(generated.every(({ finish_reason: reason }) => reason === null || reason === '')).toBe(true);
        expect(finished.map(({ finish_reason: reason }) => reason)).toEqual(choices.flatMap(({ finish_reason: reason }) => reason || []));
      }),
    );
  });
});

/** What all choices said. */
const textOf = (state: StreamState): string => [...state.kept.values()].map(({ text }) => text).join('');

describe('text', () => {
  test('all that was generated is kept, thoughts apart', () => {
    const state = createStreamState(1);
    observeAll(
      state,
      chunkOf(delta({ role: 'assistant', content: '' })),
      chunkOf(delta({ reasoning_content: 'hm ' })),
      chunkOf(delta({ reasoning: 'so ' })),
      chunkOf(delta({ content: 'a' })),
      chunkOf(delta({ refusal: 'b' })),
      chunkOf(delta({ tool_calls: [{ index: 0, id: 'x', function: { name: 'c', arguments: '{' } }, { index: 1, custom: { name: 'd', input: 'e' } }] })),
      chunkOf(delta({ function_call: { name: 'f', arguments: 'g' } })),
      chunkOf(delta({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'yes' }] }, { type: 'text', text: 'h' }] })),
      { choices: [{ index: 0, text: 'i' }] },
    );
    expect(state.generatedLength).toBe(19);
    expect([...takeGenerated(state)]).toEqual([[0, { text: 'abc{defghi', reasoning: 'hm so yes' }]]);
    expect([...takeGenerated(state)]).toEqual([]);
  });

  test('what is spoken counts by its transcript and the length of its sound', () => {
    const state = createStreamState(1);
    observeAll(state, chunkOf(delta({ audio: { id: 'a', transcript: 'said' } })), chunkOf(delta({ audio: { data: 'AAAA' } })), chunkOf(delta({ audio: { data: 'AAAA' } })));
    expect([state.audioLength, ...takeGenerated(state).values()]).toEqual([8, { text: 'said', reasoning: '' }]);
  });

  test('thoughts that come as details alone are kept, and once where they come under several names', () => {
    const state = createStreamState(1);
    const details = [{ type: 'reasoning.text', text: 'hm ' }, { type: 'reasoning.summary', summary: 'so ' }, { type: 'reasoning.encrypted', data: 'x' }];
    observeAll(state, chunkOf(delta({ reasoning_details: details })), chunkOf(delta({ reasoning: 'yes', reasoning_details: [{ type: 'reasoning.text', text: 'yes' }] })));
    expect([...takeGenerated(state).values()]).toEqual([{ text: '', reasoning: 'hm so yes' }]);
  });

  test('choices that take turns are kept apart', () => {
    const state = createStreamState(2);
    observeAll(state, chunkOf(delta({ content: '1' })), chunkOf(delta({ content: '2' }, 1)), chunkOf(delta({ content: '3' })));
    expect([...takeGenerated(state)]).toEqual([[0, { text: '13', reasoning: '' }], [1, { text: '2', reasoning: '' }]]);
  });

  test('the body of a JSON answer is read as one terminal chunk', () => {
    const state = createStreamState(2);
    const body = { choices: [{ index: 0, message: { content: 'a' }, finish_reason: 'stop' }, { index: 1, message: { content: 'b' }, finish_reason: 'stop' }], usage: {} };
    observeChunk(state, body);
    expect([textOf(state), isFinished(state)]).toEqual(['ab', true]);
  });

  test('what is kept is bounded, what is counted is not', () => {
    const state = createStreamState(1, 10);
    observeAll(state, ...Array(5).fill(chunkOf(delta({ content: 'xxx', reasoning_content: 'y' }))));
    expect([state.keptLength, [...takeGenerated(state).values()]]).toEqual([10, [{ text: 'xxxxxxxx', reasoning: 'yy' }]]);
    expect(state.generatedLength).toBe(20);
  });
});

describe('hostile chunks', () => {
  test.each<[string, Fields]>([
    ['choices that are an object', { choices: {} }],
    ['a choice that is null', chunkOf(null)],
    ['a delta that is a text', chunkOf({ index: 0, delta: 'x' })],
    ['an index beyond n', chunkOf(delta({ content: 'x' }, 2))],
    ['a negative index', chunkOf(delta({}, -1, 'stop'))],
    ['an index with a fraction', chunkOf(delta({}, 0.5, 'stop'))],
    ['an index as text', chunkOf({ index: '0', delta: {}, finish_reason: 'stop' })],
    ['a reason that is a truth', chunkOf(delta({}, 0, true))],
    ['content that is a number', chunkOf(delta({ content: 5 }))],
    ['calls that are an object', chunkOf(delta({ tool_calls: {} }))],
  ])('%s is a fault and finishes nothing', (_name, chunk) => {
    const state = createStreamState(2);
    expect(observeChunk(state, chunk)).toMatchObject({ kind: 'chunk', fault: expect.any(String) });
    expect(state.finishReasons.size).toBe(0);
  });

  test('text of a choice that does not exist still counts: it was generated', () => {
    const state = createStreamState(2);
    observeChunk(state, chunkOf(delta({ content: 'x' }, 7)));
    expect(textOf(state)).toBe('x');
  });

  test.each<[Fields, object]>([
    [{ error: { message: 'overloaded', code: 529 } }, { message: 'overloaded', code: 529 }],
    [{ error: { code: 'server_error' }, choices: [delta({}, 0, 'stop')] }, { code: 'server_error' }],
    [{ error: 'boom' }, { message: 'boom' }],
    [{ object: 'error', message: 'old vLLM', code: 400 }, { message: 'old vLLM', code: 400 }],
  ])('an error in the middle is an error, even beside a finish: %j', (chunk, error) => {
    const state = createStreamState(1);
    expect(observeChunk(state, chunk)).toEqual({ kind: 'error', error: expect.objectContaining(error) });
    expect(isFinished(state)).toBe(false);
  });

  test.each([null, false, '', {}])('an error that is %j is none', (error) => {
    const state = createStreamState(1);
    observeChunk(state, { ...chunkOf(delta({}, 0, 'stop')), error });
    expect(isFinished(state)).toBe(true);
  });

  test('no chunk throws, and none finishes more than there is', () => {
    const field = fc.constantFrom('choices', 'delta', 'index', 'finish_reason', 'content', 'tool_calls', 'function', 'arguments', 'usage', 'error', 'text');
    const { chunk } = fc.letrec<{ chunk: unknown }>((tie) => ({
      chunk: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        fc.constantFrom<unknown>(null, 0, 1, -1, 'stop', '', true, {}, []),
        fc.array(tie('chunk'), { maxLength: 3 }),
        fc.dictionary(field, tie('chunk'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(fc.array(fc.dictionary(field, chunk, { maxKeys: 4 }), { maxLength: 5 }), (chunks) => {
        const state = createStreamState(2);
        for (const each of chunks) {
          observeChunk(state, each);
          if (Array.isArray(each['choices'])) splitChoices(each);
        }
        expect(state.finishReasons.size).toBeLessThanOrEqual(2);
        expect([...state.finishReasons.keys()].every((index) => state.begun.has(index))).toBe(true);
        expect(textOf(state).length).toBeLessThanOrEqual(state.generatedLength);
      }),
      { numRuns: 3000 },
    );
  });
});
