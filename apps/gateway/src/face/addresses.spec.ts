import { describe, expect, it } from '@jest/globals';
import { baseUrlOf, describeMissingAddress } from './addresses.js';

const told = (method: string, path: string, host: string | null = 'api.example'): string => describeMissingAddress({ method, path, host, isSecure: true });

describe('an address that does not exist', () => {
  it.each([
    ['/chat/completions', 'POST /v1/chat/completions'],
    ['/api/v1/chat/completions', 'POST /v1/chat/completions'],
    ['/openai/v1/chat/completions', 'POST /v1/chat/completions'],
    ['/openai/deployments/gpt-4/chat/completions', 'POST /v1/chat/completions'],
    ['/v1/v1/chat/completions', 'POST /v1/chat/completions'],
    ['/v1/chat/completions/', 'POST /v1/chat/completions'],
    ['//v1//chat/completions', 'POST /v1/chat/completions'],
    ['/V1/Chat/Completions', 'POST /v1/chat/completions'],
    ['/v1/chat/completions/chat/completions', 'POST /v1/chat/completions'],
    ['/v1/chat/completion', 'POST /v1/chat/completions'],
    ['/v1/chat', 'POST /v1/chat/completions'],
    ['/v1/engines/davinci/completions', 'POST /v1/completions'],
    ['/completions', 'POST /v1/completions'],
    ['/models', 'GET /v1/models'],
    ['/api/v1/models', 'GET /v1/models'],
    ['/models/acme/gpt-x', null],
    ['/models/gpt-x', 'GET /v1/models/{id}'],
    ['/credits', 'GET /v1/credits'],
    ['/api/v1/generation', 'GET /v1/generations/{id}'],
  ])('%s is told which one was meant', (path, meant) => {
    const text = told('POST', path);
    if (meant === null) expect(text).not.toContain('Did you mean');
    else expect(text).toContain(`Did you mean ${meant}?`);
    expect(text).toContain('The base URL of this API is https://api.example/v1; SDKs add the rest.');
  });

  it.each(['/v1/responses', '/v1/messages', '/responses', '/v1/responses/resp_1', '/anthropic/v1/messages'])('%s is not offered yet, and chat completions serve instead', (path) => {
    expect(told('POST', path)).toMatch(/^POST \S+ is not offered \(yet\)\. Use POST \/v1\/chat\/completions: .* This API offers POST \/v1\/chat\/completions, /);
  });

  it.each(['/v1/embeddings', '/v1/images/generations', '/v1/audio/speech', '/v1/files', '/v1/moderations', '/v1/batches'])('%s is not offered yet', (path) => {
    expect(told('POST', path)).toMatch(/^POST \S+ is not offered \(yet\)\. This API offers /);
  });

  it.each(['/', '/favicon.ico', '/v1', '/v1/', '/v1/nothing', ''])('%j is told what there is', (path) => {
    expect(told('GET', path)).toMatch(/^There is nothing at GET .*\. This API offers POST \/v1\/chat\/completions, .* The base URL of this API is /);
  });

  it('says little of an address that is long, and takes no time for it', () => {
    expect(told('GET', `/${'a/'.repeat(100_000)}`).length).toBeLessThan(700);
  });
});

describe('the base URL', () => {
  it.each([
    ['api.example', 'https://api.example/v1'],
    ['127.0.0.1:8080', 'https://127.0.0.1:8080/v1'],
    ['[::1]:8080', 'https://[::1]:8080/v1'],
    ['evil.example/path', '…/v1'],
    ['a b', '…/v1'],
    ['user@evil.example', '…/v1'],
    ['<script>', '…/v1'],
    [null, '…/v1'],
  ])('of the host %j is %s', (host, url) => expect(baseUrlOf({ host, isSecure: true })).toBe(url));
});
