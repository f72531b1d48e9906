import { describe, expect, it } from '@jest/globals';
import { answerIdOf, readRequestId } from './answer-id.js';

const id = '01970000-0000-7000-8000-00000000abcd';

describe('the id of a request', () => {
  it('is read from the id of its answer, whichever operation made it', () => {
    expect(answerIdOf(id, 'chat.completions')).toBe(`chatcmpl-${id}`);
    expect(answerIdOf(id, 'completions')).toBe(`cmpl-${id}`);
    for (const text of [id, answerIdOf(id, 'chat.completions'), answerIdOf(id, 'completions')]) expect(readRequestId(text)).toBe(id);
  });

  it.each(['', 'chatcmpl-', id.toUpperCase(), `msg_${id}`, `chatcmpl-cmpl-${id}`, `cmpl-cmpl-${id}`, `${id}-`, ` ${id}`, `chatcmpl-${id}0`])('is not in %j', (text) =>
    expect(readRequestId(text)).toBeNull());
});
