import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createStreamState, isFinished, observeChunk, type ChunkObservation, type StreamState } from './stream-chunk.js';

const delta = (fields: object, index = 0, finishReason: unknown = null) => ({ index, delta: fields, finish_reason: finishReason });
const chunkOf = (...choices: unknown[]) => ({ id: 'c', object: 'chat.completion.chunk', choices });

const observeAll = (state: StreamState, ...chunks: unknown[]): string[] => chunks.map((chunk) => observeChunk(state, chunk).kind);

describe('the terminal chunk', () => {
  test('is the one that finishes the only choice', () => {
    const state = createStreamState(1);
    expect(observeAll(state, chunkOf(delta({ role: 'assistant' })), chunkOf(delta({ content: 'Hi' })), chunkOf(delta({}, 0, 'stop')))).toEqual(['content', 'content', 'terminal']);
    expect(state.finishReasons.get(0)).toBe('stop');
  });

  test('is the one that finishes the last open choice, whatever order they end in', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), (order) => {
        const state = createStreamState(8);
        const kinds = order.map((index) => observeChunk(state, chunkOf(delta({ content: 'x' }, index, 'length'))).kind);
        expect(kinds).toEqual([...Array(7).fill('content'), 'terminal']);
      }),
    );
  });

  test('may finish several choices at once', () => {
    const state = createStreamState(2);
    expect(observeAll(state, chunkOf(delta({}, 0, 'stop'), delta({}, 1, 'length')))).toEqual(['terminal']);
  });

  test('comes once: a vendor that repeats a reason neither reopens a choice nor finishes another', () => {
    const state = createStreamState(2);
    expect(observeAll(state, chunkOf(delta({}, 0, 'stop')), chunkOf(delta({}, 0, 'length')), chunkOf(delta({}, 1, 'stop')), chunkOf(delta({}, 1, 'stop')))).toEqual([
      'content',
      'content',
      'terminal',
      'trailing',
    ]);
    expect(state.finishReasons.get(0)).toBe('stop');
  });

  test('is not a chunk with an empty reason', () => {
    expect(observeAll(createStreamState(1), chunkOf(delta({ content: 'a' }, 0, '')))).toEqual(['content']);
  });
});

describe('usage', () => {
  test('in a chunk of its own, in the terminal one, or in every one: the last stands', () => {
    const state = createStreamState(1);
    const usage = (tokens: number) => ({ completion_tokens: tokens });
    observeChunk(state, { ...chunkOf(delta({ content: 'a' })), usage: usage(1) });
    expect([state.usage, state.usageIsFinal]).toEqual([usage(1), false]);
    observeChunk(state, { ...chunkOf(delta({}, 0, 'stop')), usage: usage(2) });
    expect([state.usage, state.usageIsFinal]).toEqual([usage(2), true]);
    expect(observeChunk(state, { choices: [], usage: usage(3) }).kind).toBe('trailing');
    observeChunk(state, { choices: [], usage: null });
    expect([state.usage, state.usageIsFinal]).toEqual([usage(3), true]);
  });

  test('zero is a usage, null is none', () => {
    const state = createStreamState(1);
    expect(observeChunk(state, { choices: [], usage: null }).kind).toBe('aside');
    expect(state.usage).toBeNull();
    observeChunk(state, { choices: [], usage: { completion_tokens: 0 } });
    expect(state.usage).toEqual({ completion_tokens: 0 });
  });
});

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
    expect(state.text).toBe('abc{defghi');
    expect(state.reasoning).toBe('hm so yes');
    expect(state.generatedLength).toBe(19);
  });

  test('the body of a JSON answer is read as one terminal chunk', () => {
    const state = createStreamState(2);
    const body = { choices: [{ index: 0, message: { content: 'a' }, finish_reason: 'stop' }, { index: 1, message: { content: 'b' }, finish_reason: 'stop' }], usage: {} };
    expect(observeChunk(state, body).kind).toBe('terminal');
    expect([state.text, state.usageIsFinal]).toEqual(['ab', true]);
  });

  test('what is kept is bounded, what is counted is not', () => {
    const state = createStreamState(1, 10);
    observeAll(state, ...Array(5).fill(chunkOf(delta({ content: 'xxx', reasoning_content: 'y' }))));
    expect(state.text.length + state.reasoning.length).toBe(10);
    expect(state.generatedLength).toBe(20);
  });
});

describe('hostile chunks', () => {
  test.each<[string, unknown]>([
    ['null', null],
    ['a text', 'x'],
    ['an array', []],
    ['choices that are an object', { choices: {} }],
    ['a choice that is null', chunkOf(null)],
    ['a delta that is a text', chunkOf({ index: 0, delta: 'x' })],
    ['an index beyond n', chunkOf(delta({ content: 'x' }, 1))],
    ['a negative index', chunkOf(delta({}, -1, 'stop'))],
    ['an index with a fraction', chunkOf(delta({}, 0.5, 'stop'))],
    ['an index as text', chunkOf({ index: '0', delta: {}, finish_reason: 'stop' })],
    ['a reason that is a truth', chunkOf(delta({}, 0, true))],
    ['content that is a number', chunkOf(delta({ content: 5 }))],
    ['calls that are an object', chunkOf(delta({ tool_calls: {} }))],
  ])('%s is malformed and finishes nothing', (_name, chunk) => {
    const state = createStreamState(1);
    expect(observeChunk(state, chunk)).toEqual({ kind: 'malformed', reason: expect.any(String) });
    expect(isFinished(state)).toBe(false);
  });

  test('text of a choice that does not exist still counts: it was generated', () => {
    const state = createStreamState(1);
    observeChunk(state, chunkOf(delta({ content: 'x' }, 7)));
    expect(state.text).toBe('x');
  });

  test.each<[unknown, Partial<Extract<ChunkObservation, { kind: 'error' }>>]>([
    [{ error: { message: 'overloaded', code: 529 } }, { message: 'overloaded', code: '529' }],
    [{ error: { message: 'no', code: 'server_error' }, choices: [delta({}, 0, 'stop')] }, { code: 'server_error' }],
    [{ error: 'boom' }, { message: 'boom', code: null }],
    [{ error: { message: { a: 1 } } }, { code: null }],
    [{ object: 'error', message: 'old vLLM', code: 400 }, { message: 'old vLLM', code: '400' }],
    [{ error: { message: 'x'.repeat(10_000) } }, { message: 'x'.repeat(500) }],
  ])('an error in the middle is an error, even beside a finish: %j', (chunk, expected) => {
    const state = createStreamState(1);
    expect(observeChunk(state, chunk)).toMatchObject({ kind: 'error', ...expected });
    expect(isFinished(state)).toBe(false);
  });

  test('a null error is none', () => {
    expect(observeChunk(createStreamState(1), { ...chunkOf(delta({}, 0, 'stop')), error: null }).kind).toBe('terminal');
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
      fc.property(fc.array(chunk, { maxLength: 5 }), (chunks) => {
        const state = createStreamState(2);
        const kinds = observeAll(state, ...chunks);
        expect(kinds.filter((kind) => kind === 'terminal').length).toBeLessThanOrEqual(1);
        expect(state.finishReasons.size).toBeLessThanOrEqual(2);
        expect(typeof state.text).toBe('string');
      }),
      { numRuns: 3000 },
    );
  });
});
