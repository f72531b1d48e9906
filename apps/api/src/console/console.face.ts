import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { AppError } from '@kilotoken/platform';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { consoleHeaders } from './content-policy.js';

export interface ConsoleFace {
  /** The built console, `apps/console/dist`. */
  readonly folder: string;
  /** Base URL that programs give to their SDK; the playground calls it too. */
  readonly gatewayUrl: string;
}

const nonceBytes = 16;
/** Words that the console's `index.html` has for us to replace. */
const nonceWord = 'CONSOLE_CSP_NONCE';
const gatewayWord = 'CONSOLE_GATEWAY_URL';

/** First segments of the console's own addresses: each of them answers with the same page, which draws what the address says. */
const pages = ['', 'sign-in', 'forgot-password', 'reset-password', 'accept-invitation', 'profile', 'o', 'staff'];
const oneYearMs = 365 * 24 * 3_600_000;

/**
 * Serves the console. Files under `assets/` carry a hash of their content in their names, so browsers keep them for a year; the page that names them is
 * asked for anew each time. All other addresses stay the api's own.
 */
export const registerConsoleFace = async (fastify: FastifyInstance, { folder, gatewayUrl }: ConsoleFace): Promise<void> => {
  const readPage = createPageReader(folder, gatewayUrl);
  const sendPage = (reply: FastifyReply): FastifyReply => {
    const nonce = randomBytes(nonceBytes).toString('base64');
    return reply
      .headers(consoleHeaders(nonce, gatewayUrl))
      .type('text/html; charset=utf-8')
      .send(readPage().replaceAll(nonceWord, nonce));
  };
  await fastify.register(fastifyStatic, { root: join(folder, 'assets'), prefix: '/assets/', immutable: true, maxAge: oneYearMs, preCompressed: true, index: false });
  for (const file of ['favicon.svg', 'color-scheme.js']) fastify.get(`/${file}`, (_request, reply) => reply.sendFile(file, folder, { immutable: false, maxAge: 3_600_000 }));
  for (const page of pages) {
    fastify.get(`/${page}`, (_request, reply) => sendPage(reply));
    if (page !== '') fastify.get(`/${page}/*`, (_request, reply) => sendPage(reply));
  }
};

const escapeAttribute = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** Read when the first page is asked for: the api also starts where nobody built the console. */
const createPageReader = (folder: string, gatewayUrl: string): (() => string) => {
  let page: string | null = null;
  return () => {
    const file = join(folder, 'index.html');
    if (page === null && !existsSync(file)) {
      throw new AppError({ code: 'console_not_built', kind: 'not_found', publicMessage: 'The console is not built here. `npm start` builds it, and so does `npm run build`.' });
    }
    page ??= readFileSync(file, 'utf8').replaceAll(gatewayWord, escapeAttribute(gatewayUrl));
    return page;
  };
};
