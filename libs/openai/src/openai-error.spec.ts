import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { APIError } from 'openai';
import { ContractError, errorCatalogue, type ErrorCode } from '@kilotoken/contracts';
import { openAiErrorBody } from './openai-error.js';

const documentation = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
const documented = [...documentation.matchAll(/^\| `(\w+)` \| (\d+) \| `(\w+)` \| (yes|no) \| \S/gm)].map(
  ([, code, status, type, retry]) => ({ code, status: Number(status), type, shouldRetry: retry === 'yes' }),
);

describe('the catalogue', () => {
  test('docs/errors.md lists exactly the codes, statuses, types and retry advice that the gateway answers with', () => {
    expect(documented).toEqual(Object.entries(errorCatalogue).map(([code, entry]) => ({ code, ...entry })));
  });

  test('no refusal of a request is retried by an SDK, and no status is a success', () => {
    for (const { status, shouldRetry } of Object.values(errorCatalogue)) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      if (status < 500 && status !== 408 && status !== 429) expect(shouldRetry).toBe(false);
    }
  });

  test('the want of money has a status that SDKs do not retry', () => {
    expect(errorCatalogue.insufficient_quota.status).toBe(402);
  });
});

describe('the body', () => {
  test.each(Object.keys(errorCatalogue) as ErrorCode[])('the official SDK reads code, type, parameter and message of %s', (code) => {
    const { status } = errorCatalogue[code];
    const raised = APIError.generate(status, openAiErrorBody(code, 'What went wrong.', 'messages[0]'), undefined, new Headers());
    expect(raised).toMatchObject({ status, code, type: errorCatalogue[code].type, param: 'messages[0]' });
    expect(raised.message).toContain('What went wrong.');
  });

  test('the parameter is null where none is meant', () => {
    expect(openAiErrorBody('not_found', 'No.')).toEqual({
      error: { message: 'No.', type: 'invalid_request_error', param: null, code: 'not_found' },
    });
    expect(new ContractError('invalid_json', 'No.').param).toBeNull();
  });
});
