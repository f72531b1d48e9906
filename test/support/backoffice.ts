import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findFreePort } from '@kilotoken/tools/free-port';
import { AppProcess } from './cluster-process.js';
import { serviceUrl, testRunFolder } from './postgres.js';

/** Encrypts stored secrets of tests. */
export const testSecretKey = 'a-key-of-stored-secrets-for-tests-alone';

export type Backoffice = AppProcess & { readonly token: string; readonly home: string };

/** A real backoffice process on a test's database, that looks at everything far more often than one needs to. */
export const createBackoffice = async (appUrl: string, env: Record<string, string> = {}, release: { readonly appsFolder?: string } = {}): Promise<Backoffice> => {
  const port = await findFreePort();
  const token = randomBytes(16).toString('hex');
  const home = mkdtempSync(join(testRunFolder(), 'backoffice-'));
  const often = { OUTBOX_PAUSE_MS: '50', BALANCE_CHECK_MS: '100', NIGHTLY_CHECK_MS: '100' };
  const settings = {
    HOST: '127.0.0.1',
    INTERNAL_TOKEN: token,
    LOG_LEVEL: 'info',
    BACKOFFICE_PORT: String(port),
    APP_DATABASE_URL: serviceUrl(appUrl, 'backoffice'),
    WEBHOOK_ALLOW_PRIVATE: '1',
    KILOTOKEN_SECRET_KEY: testSecretKey,
    KILOTOKEN_HOME: home,
    ...often,
    ...env,
  };
  return Object.assign(new AppProcess({ app: 'backoffice', name: `backoffice-${randomBytes(3).toString('hex')}`, port, env: settings, ...release }), { token, home });
};

export interface ReceivedWebhook {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly received: ReceivedWebhook[];
  /** What the next requests are answered with; 204 unless a test says otherwise. */
  answer: (response: ServerResponse, webhook: ReceivedWebhook) => void;
  close(): void;
}

/** A customer's receiver. */
export const startReceiver = async (): Promise<Receiver> => {
  const received: ReceivedWebhook[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const webhook = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts).toString() };
      received.push(webhook);
      receiver.answer(response, webhook);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: (response) => void response.writeHead(204).end(),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return receiver;
};
