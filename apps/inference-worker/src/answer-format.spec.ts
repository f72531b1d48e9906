import { describe, expect, it } from '@jest/globals';
import { createChunkWriter, jsonAnswer, type AnswerIdentity } from './answer-format.js';

const identity = (operation: AnswerIdentity['operation'] = 'chat.completion'): AnswerIdentity => ({ id: 'chatcmpl-1', operation, model: 'a "quoted" model', createdSeconds: 1_700_000_000 });
const usage = { promptTokens: 3, completionTokens: 2 };
const wireUsage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } };
const chunk = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'a "quoted" model' };

const read = (events: string): unknown[] => {
  const lines = events.split('\n\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => {
    expect(line).toMatch(/^data: /);
    expect(line).not.toContain('\n');
    const data = line.slice('data: '.length);
    return data === '[DONE]' ? data : JSON.parse(data);
  });
};

describe('a stream of chat', () => {
  it('says once a choice whose it is, then its text, then why it ended', () => {
    const writer = createChunkWriter(identity(), { includeUsage: false, continuousUsage: false });
    const written = writer.text(0, 'Hi "you"\n', usage) + writer.text(0, ' 😀', usage) + writer.finish(0, 'stop', usage) + writer.finish(1, 'length', usage) + writer.end(usage);
    const choice = (index: number, delta: object, reason: string | null = null) => ({ ...chunk, choices: [{ index, delta, logprobs: null, finish_reason: reason }] });
    expect(read(written)).toEqual([
      choice(0, { role: 'assistant', content: 'Hi "you"\n' }),
      choice(0, { content: ' 😀' }),
      choice(0, {}, 'stop'),
      choice(1, { role: 'assistant', content: '' }, 'length'),
      '[DONE]',
    ]);
  });

  it('with include_usage ends with a chunk of usage, and has a null in every other', () => {
    const writer = createChunkWriter(identity(), { includeUsage: true, continuousUsage: false });
    const [text, end, done] = read(writer.text(0, 'a', usage) + writer.end(usage));
    expect(text).toMatchObject({ usage: null });
    expect(end).toEqual({ ...chunk, choices: [], usage: wireUsage });
    expect(done).toBe('[DONE]');
  });

  it('with continuous_usage_stats has the exact usage so far in every chunk', () => {
    const writer = createChunkWriter(identity(), { includeUsage: false, continuousUsage: true });
    const written = read(writer.text(0, 'a', { promptTokens: 3, completionTokens: 1 }) + writer.finish(0, 'stop', usage) + writer.end(usage));
    expect(written).toMatchObject([{ usage: { completion_tokens: 1, total_tokens: 4 } }, { usage: wireUsage }, '[DONE]']);
  });

  it('says nothing of a usage that nobody knows', () => {
    const writer = createChunkWriter(identity(), { includeUsage: true, continuousUsage: true });
    expect(read(writer.text(0, 'a', null) + writer.end(null))).toMatchObject([{ usage: null }, '[DONE]']);
  });
});

it('a stream of legacy completions has text in place of deltas', () => {
  const writer = createChunkWriter(identity('text_completion'), { includeUsage: false, continuousUsage: false });
  const head = { ...chunk, object: 'text_completion' };
  expect(read(writer.text(1, 'a', usage) + writer.finish(1, 'length', usage))).toEqual([
    { ...head, choices: [{ index: 1, text: 'a', logprobs: null, finish_reason: null }] },
    { ...head, choices: [{ index: 1, text: '', logprobs: null, finish_reason: 'length' }] },
  ]);
});

describe('a JSON answer', () => {
  it('of chat has messages', () => {
    expect(JSON.parse(jsonAnswer(identity(), [{ text: 'Hi', reason: 'stop' }], usage))).toEqual({
      ...chunk,
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hi', refusal: null }, logprobs: null, finish_reason: 'stop' }],
      usage: wireUsage,
    });
  });

  it('of legacy completions has texts, and no usage that nobody knows', () => {
    const answer = JSON.parse(jsonAnswer(identity('text_completion'), [{ text: 'Hi', reason: 'length' }], null)) as object;
    expect(answer).toMatchObject({ object: 'text_completion', choices: [{ index: 0, text: 'Hi', finish_reason: 'length' }] });
    expect(answer).not.toHaveProperty('usage');
  });
});
