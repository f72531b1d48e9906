import { describe, expect, it } from '@jest/globals';
import { eventCatalogue, type EventName, eventNames } from '@kilotoken/contracts';
import { renderMail } from './mail.js';
import { emailSchema, noticeChangeSchema } from './notice.js';

const envelope = (type: EventName, data: Record<string, unknown> = eventCatalogue[type].example) => ({
  id: '019b1c6e-52c0-7a41-9d8e-0c6b2f2f7a10',
  type,
  timestamp: '2026-12-01T08:00:00.000Z',
  organization_id: '019b1c6d-0f13-7bb0-a6a1-93cf0a4ed5c2',
  sequence: 7,
  data,
});

describe('renderMail', () => {
  it.each(eventNames)('a mail for %s has its sentence and every value, as text and as HTML', (kind) => {
    const { subject, text, html } = renderMail(envelope(kind), 'Acme');
    expect(subject).not.toContain('undefined');
    expect(subject).toContain('Acme');
    for (const value of Object.values(eventCatalogue[kind].example)) {
      if (typeof value === 'string') expect([text.includes(value), html.includes(value)]).toEqual([true, true]);
    }
    expect(text).toContain(eventCatalogue[kind].says);
  });

  it('a subject is one line, whatever name a customer chose', () => {
    const hostile = 'server\r\nBcc: everybody@example.com\u2028\u0000\u202e';
    const { subject } = renderMail(envelope('key.created', { ...eventCatalogue['key.created'].example, name: hostile }), `Acme\r\nX: y${'z'.repeat(300)}`);
    expect(subject).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,150}$/u);
  });

  it('a mail shows markup in a value as text', () => {
    const { html } = renderMail(envelope('key.created', { ...eventCatalogue['key.created'].example, name: '<script>"&' }), '<b>Acme');
    expect(html).toContain('&lt;script&gt;&quot;&amp;');
    expect(html).not.toMatch(/<script|<b>/);
  });
});

describe('emailSchema', () => {
  it.each(['billing@example.com', 'a.b+c@sub.example.co'])('%s is one address', (address) => expect(emailSchema.safeParse(address).success).toBe(true));

  it.each(['a@example.com\r\nBcc: b@example.com', 'a@example.com, b@example.com', 'Acme <a@example.com>', 'a@example.com\n', ' a@example.com', 'a@b', 'a', `${'a'.repeat(250)}@example.com`, ''])(
    'and nothing else: %j',
    (address) => expect(emailSchema.safeParse(address).success).toBe(false),
  );
});

describe('noticeChangeSchema', () => {
  const organizationId = '019b1c6d-0f13-7bb0-a6a1-93cf0a4ed5c2';
  const parse = (threshold: unknown) => noticeChangeSchema.safeParse({ organizationId, balanceLow: { unit: 'USD', threshold } });

  it('a threshold is an exact amount above zero', () => {
    expect(parse('5.50').data?.balanceLow).toEqual({ unit: 'USD', threshold: '5.5' });
    for (const wrong of ['0', '-1', '-0', '1e3', 'NaN', '1,000', '0.0000000000001', '', 5]) expect([wrong, parse(wrong).success]).toEqual([wrong, false]);
  });
});
