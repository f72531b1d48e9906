import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { WebhookGuard, type WebhookGuardSettings } from './webhook-guard.client.js';
import { askedWaitMs, WebhookSender, type WebhookAnswer } from './webhook-sender.client.js';

/** For receivers that answer; one that never does is given up sooner. */
const timeoutMs = 60_000;
const hangingMs = 500;
const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const oldSecret = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;
const id = '019b1c6e-52c0-7a41-9d8e-0c6b2f2f7a10';
const body = '{"type":"grant.low","data":{"balance":"4.99 €"}}';
const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A receiver that answers as the test tells it; `received` fills as requests come. */
const receive = async (answer: (response: ServerResponse, request: IncomingMessage) => void): Promise<{ url: string; received: Received[] }> => {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
};

const send = async (url: string, guard: WebhookGuardSettings = { allowPrivate: true }, secrets = [secret], sentAt = new Date(), waitMs = timeoutMs): Promise<WebhookAnswer> => {
  const sender = new WebhookSender(new WebhookGuard(guard), 'test', waitMs);
  closing.push(() => sender.close());
  return sender.send({ url, secrets, id, body, sentAt });
};

const ok = (response: ServerResponse): void => void response.writeHead(204).end();

describe('WebhookSender', () => {
  it('a webhook is signed by each valid secret, and the library of the scheme accepts it', async () => {
    const { url, received } = await receive(ok);
    const sentAt = new Date();
    expect(await send(url, undefined, [secret, oldSecret], sentAt)).toMatchObject({ status: 204, reason: 'delivered' });
    const { headers, body: sent } = received[0]!;
    expect(sent).toBe(body);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': id });
    for (const valid of [secret, oldSecret]) expect(new Webhook(valid).verify(sent, headers as Record<string, string>)).toEqual(JSON.parse(body));
    expect(() => new Webhook(`whsec_${Buffer.alloc(32, 3).toString('base64')}`).verify(sent, headers as Record<string, string>)).toThrow();
    // The scheme's own words, without the library: base64 of HMAC-SHA256 over "id.timestamp.body".
    const timestamp = Math.floor(sentAt.getTime() / 1_000);
    const byHand = createHmac('sha256', Buffer.alloc(32, 1)).update(`${id}.${timestamp}.${body}`).digest('base64');
    expect(headers['webhook-signature']).toMatch(new RegExp(`^v1,${byHand.replace(/[+/]/g, '\\$&')} v1,`));
  });

  it.each([301, 302, 307, 308])('a webhook follows no redirect (%i)', async (status) => {
    const target = await receive(ok);
    const { url, received } = await receive((response) => void response.writeHead(status, { location: target.url }).end());
    expect(await send(url)).toMatchObject({ status, reason: `answered ${status}; redirects are not followed` });
    expect([received.length, target.received.length]).toEqual([1, 0]);
  });

  it('of an answer at most 64 KB are read, and its beginning is kept without control characters', async () => {
    let written = 0;
    const { url } = await receive((response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, '\u001b'))) written += 65_536;
        if (!response.destroyed) response.once('drain', write);
      };
      response.writeHead(500);
      write();
    });
    const answer = await send(url);
    expect(answer).toMatchObject({ status: 500, reason: 'answered 500' });
    expect(answer.excerpt.length).toBeLessThanOrEqual(500);
    expect(answer.excerpt).not.toContain('\u001b');
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['never answers', () => undefined],
    ['begins an answer and never ends it', (response) => void response.writeHead(200).write('{')],
  ])('an attempt ends in time at a receiver that %s', async (_name, answer) => {
    const { url } = await receive(answer);
    expect(await send(url, undefined, undefined, undefined, hangingMs)).toMatchObject({ status: 0, reason: 'no answer in time' });
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['cuts the connection', (response) => response.socket!.resetAndDestroy()],
    ['sends garbage', (response) => void response.socket!.end('garbage\r\n\r\n')],
    ['sends headers without end', (response) => void response.writeHead(200, { 'x-long': 'a'.repeat(20_000) }).end()],
  ])('an attempt alone fails where the receiver %s', async (_name, answer) => {
    const { url } = await receive(answer);
    expect(await send(url)).toMatchObject({ status: 0, reason: expect.stringMatching(/^failed: /) });
  });

  it.each([
    ['120', 120_000],
    ['Tue, 01 Dec 2026 08:01:00 GMT', 60_000],
    ['Tue, 01 Dec 2026 07:00:00 GMT', 0],
    ['soon', 0],
    ['-5', 0],
    ['', 0],
  ])('Retry-After %j asks for a wait', (header, waitMs) => expect(askedWaitMs(header, new Date('2026-12-01T08:00:00Z'))).toBe(waitMs));
});

describe('WebhookGuard', () => {
  const never = async (): Promise<never> => {
    throw new Error('not to be asked');
  };

  it.each(['https://127.0.0.1/', 'https://[::ffff:127.0.0.1]/', 'https://0.0.0.0/', 'https://169.254.169.254/latest/meta-data/', 'https://2130706433/', 'https://[fd00:ec2::254]/', 'https://10.0.0.1/'])(
    'is refused when it is registered and when it is called: %s',
    async (url) => {
      await expect(new WebhookGuard({ allowPrivate: false, resolve: never }).check(url)).rejects.toMatchObject({ code: 'webhook_url_refused' });
      expect(await send(url, { allowPrivate: false, resolve: never })).toMatchObject({ status: 0, reason: expect.stringContaining('not public') });
    },
  );

  it('an endpoint is refused where a name leads inside, by one address of several too', async () => {
    const guard = new WebhookGuard({
      allowPrivate: false,
      resolve: async () => [
        { address: '1.1.1.1', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    });
    await expect(guard.check('https://hooks.example.com/')).rejects.toMatchObject({ publicMessage: expect.stringContaining('not public') });
    const nowhere = new WebhookGuard({ allowPrivate: false, resolve: async () => [] });
    await expect(nowhere.check('https://hooks.example.com/')).rejects.toMatchObject({ publicMessage: expect.stringContaining('no address') });
  });

  it('no connection is made where a name leads inside only after it was registered', async () => {
    const { url, received } = await receive(ok);
    const port = new URL(url).port;
    const answers = ['1.1.1.1', '127.0.0.1'];
    const guard = new WebhookGuard({ allowPrivate: false, resolve: async () => [{ address: answers.shift()!, family: 4 }] });
    const registered = await guard.check(`https://rebinding.example.com:${port}/hook`);
    const sender = new WebhookSender(guard, 'test', timeoutMs);
    closing.push(() => sender.close());
    expect(await sender.send({ url: registered, secrets: [secret], id, body, sentAt: new Date() })).toMatchObject({ status: 0, reason: expect.stringContaining('not public') });
    expect([answers.length, received.length]).toEqual([0, 0]);
  });

  it('a name that is not resolved in time is refused', async () => {
    const guard = new WebhookGuard({ allowPrivate: false, resolve: never });
    await expect(guard.check('https://hooks.example.com/')).rejects.toMatchObject({ publicMessage: expect.stringContaining('cannot be resolved') });
  });
});
