import { describe, expect, it } from '@jest/globals';
import { AppError, errorKinds, httpStatusOfKind, toHttpError } from './errors.js';

describe('what a caller is told of an error', () => {
  it.each(errorKinds.filter((kind) => kind !== 'bug'))('an AppError of kind %s has the status of the table, its code and its public message', (kind) => {
    const error = new AppError({ code: 'some_code', kind, publicMessage: 'Said aloud.', details: { secret: 1 }, cause: new Error('kept') });
    expect(toHttpError(error)).toEqual({ status: httpStatusOfKind[kind], code: 'some_code', publicMessage: 'Said aloud.' });
    expect(error.cause).toEqual(new Error('kept'));
  });

  it('a bug keeps its code and hides its message', () => {
    const answer = toHttpError(new AppError({ code: 'sum_wrong', kind: 'bug', publicMessage: 'ledger 17 is off' }));
    expect(answer).toMatchObject({ status: 500, code: 'sum_wrong' });
    expect(JSON.stringify(answer)).not.toContain('ledger 17');
  });

  it.each([
    ["an error of somebody else's", new Error('password is hunter2')],
    ['a thrown string', 'hunter2'],
    ['nothing', undefined],
    ['a status that is no error', { statusCode: 200, message: 'hunter2' }],
    ['a foreign 500', { statusCode: 502, message: 'hunter2' }],
  ])('%s is a 500 that quotes nothing', (_what, thrown) => {
    const answer = toHttpError(thrown);
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });

  it.each([
    [{ statusCode: 413, message: 'hunter2' }, 413, 'body_too_large'],
    [{ statusCode: 415 }, 415, 'unsupported_media_type'],
    [{ getStatus: () => 404, message: 'Cannot GET /hunter2' }, 404, 'not_found'],
    [{ statusCode: 418, message: 'hunter2' }, 418, 'bad_request'],
  ])("a framework's refusal keeps its status and gets words of ours (%#)", (thrown, status, code) => {
    const answer = toHttpError(thrown);
    expect(answer).toMatchObject({ status, code });
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });
});
