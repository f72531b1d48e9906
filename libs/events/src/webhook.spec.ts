import { describe, expect, it } from '@jest/globals';
import { eventCatalogue, eventNames } from '@kilotoken/contracts';
import { createSecret, kindsSchema, parseWebhookUrl, toEnvelope } from './webhook.js';

describe('parseWebhookUrl', () => {
  it('an address is kept in its normal form', () => {
    expect(parseWebhookUrl('HTTPS://Hooks.Example.com:443/a/../b?x=1', false)).toEqual({ url: 'https://hooks.example.com/b?x=1' });
  });

  it.each([
    ['scheme', 'http://hooks.example.com/'],
    ['scheme', 'file:///etc/passwd'],
    ['scheme', 'ftp://hooks.example.com/'],
    ['scheme', 'gopher://hooks.example.com/'],
    ['scheme', 'data:text/plain,hello'],
    ['scheme', 'javascript:alert(1)'],
    ['credentials', 'https://user@hooks.example.com/'],
    ['credentials', 'https://user:password@hooks.example.com/'],
    ['credentials', 'https://@hooks.example.com/'],
    ['credentials', 'https://hooks.example.com@127.0.0.1/'],
    ['malformed', 'https://hooks.example.com/\r\nx-injected: 1'],
    ['malformed', 'https://hooks.example.com/\n'],
    ['malformed', 'https://hooks.example.com/\u0000'],
    ['malformed', ' https://hooks.example.com/'],
    ['malformed', 'https://hooks.example.com\\@127.0.0.1/'],
    ['malformed', 'hooks.example.com'],
    ['malformed', '//hooks.example.com/'],
    ['malformed', ''],
    ['fragment', 'https://hooks.example.com/#here'],
    ['fragment', 'https://hooks.example.com/#'],
    ['too_long', `https://hooks.example.com/${'a'.repeat(2_000)}`],
    ['too_long', `https://hooks.example.com/${'é'.repeat(600)}`],
  ])('an address is refused for its %s: %j', (problem, url) => {
    expect(parseWebhookUrl(url, false)).toEqual({ problem });
  });

  it('http is accepted only where that is allowed, and other schemes never', () => {
    expect(parseWebhookUrl('http://127.0.0.1:3000/', true)).toEqual({ url: 'http://127.0.0.1:3000/' });
    expect(parseWebhookUrl('file:///etc/passwd', true)).toEqual({ problem: 'scheme' });
  });
});

describe('envelopes and secrets', () => {
  const event = { id: '019b1c6e-52c0-7a41-9d8e-0c6b2f2f7a10', organizationId: '019b1c6d-0f13-7bb0-a6a1-93cf0a4ed5c2', sequence: 7n, createdAt: new Date('2026-12-01T08:00:00Z') };

  it.each(eventNames)('%s: its example fits its schema', (kind) => {
    const { example } = eventCatalogue[kind];
    expect(toEnvelope({ ...event, kind, payload: example })).toEqual({
      id: event.id,
      type: kind,
      timestamp: '2026-12-01T08:00:00.000Z',
      organization_id: event.organizationId,
      sequence: 7,
      data: example,
    });
  });

  it('an envelope keeps fields that a newer release added, and is refused for an unknown kind or data that do not fit', () => {
    const { example } = eventCatalogue['grant.low'];
    expect(toEnvelope({ ...event, kind: 'grant.low', payload: { ...example, more: 1 } }).data).toEqual({ ...example, more: 1 });
    expect(() => toEnvelope({ ...event, kind: 'grant.low', payload: { ...example, balance: 4.5 } })).toThrow('balance');
    expect(() => toEnvelope({ ...event, kind: 'grant.stolen', payload: example })).toThrow('does not know');
  });

  it('an endpoint names known kinds of events', () => {
    expect(kindsSchema.parse(['key.created', 'grant.low', 'key.created'])).toEqual(['grant.low', 'key.created']);
    for (const kinds of [[], ['grant.stolen'], ['toString'], 'grant.low']) expect(kindsSchema.safeParse(kinds).success).toBe(false);
  });

  it('a secret is 32 bytes in the form of Standard Webhooks', () => {
    expect(createSecret((size) => new Uint8Array(size).fill(255))).toBe(`whsec_${Buffer.alloc(32, 255).toString('base64')}`);
  });
});
