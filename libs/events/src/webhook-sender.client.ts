import { AppError } from '@kilotoken/platform';
import { Webhook } from 'standardwebhooks';
import { Agent, request } from 'undici';
import type { WebhookGuard } from './webhook-guard.client.js';

/** One attempt to send a webhook. */
export interface WebhookRequest {
  readonly url: string;
  /** The valid secrets, the newest first; each adds a signature. */
  readonly secrets: readonly string[];
  readonly id: string;
  readonly body: string;
  readonly sentAt: Date;
}

export interface WebhookAnswer {
  /** 0: no answer. */
  readonly status: number;
  readonly reason: string;
  /** The beginning of the answer's body, without control characters. */
  readonly excerpt: string;
  /** By Retry-After; 0 where the receiver asked for none. */
  readonly askedWaitMs: number;
  readonly latencyMs: number;
}

/** From the beginning of the connection to the last byte of the answer. */
export const attemptMsMax = 15_000;
const connectMsMax = 5_000;
/** Bytes of an answer that are read. */
const answerBytesMax = 64 * 1024;
const excerptCharactersMax = 500;
const headerBytesMax = 16 * 1024;
const connectionsPerOriginMax = 4;
const originsKeptMs = 10_000;

/** Sends signed webhooks within bounds, to addresses that the guard allows. It follows no redirect. */
export class WebhookSender {
  private readonly agent: Agent;

  constructor(
    private readonly guard: WebhookGuard,
    private readonly userAgent: string,
    private readonly timeoutMs: number = attemptMsMax,
  ) {
    this.agent = new Agent({
      connect: { lookup: guard.lookup, timeout: connectMsMax },
      connections: connectionsPerOriginMax,
      pipelining: 1,
      keepAliveTimeout: originsKeptMs,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxHeaderSize: headerBytesMax,
    });
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** Never rejects: a failure is an answer with status 0. */
  async send(webhook: WebhookRequest): Promise<WebhookAnswer> {
    const startedMs = performance.now();
    const latencyMs = (): number => Math.round(performance.now() - startedMs);
    try {
      const url = this.guard.checkForm(webhook.url);
      const answer = await request(url, {
        method: 'POST',
        dispatcher: this.agent,
        headers: signedHeaders(webhook, this.userAgent),
        body: webhook.body,
        signal: AbortSignal.timeout(this.timeoutMs),
      });
      const excerpt = await readExcerpt(answer.body);
      const { statusCode: status } = answer;
      const asked = answer.headers['retry-after'];
      return { status, reason: reasonOf(status), excerpt, askedWaitMs: askedWaitMs(typeof asked === 'string' ? asked : '', webhook.sentAt), latencyMs: latencyMs() };
    } catch (error) {
      return { status: 0, reason: failureOf(error), excerpt: '', askedWaitMs: 0, latencyMs: latencyMs() };
    }
  }
}

const signedHeaders = ({ id, body, secrets, sentAt }: WebhookRequest, userAgent: string): Record<string, string> => ({
  'content-type': 'application/json',
  'user-agent': userAgent,
  'webhook-id': id,
  'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
  'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, sentAt, body)).join(' '),
});

const readExcerpt = async (body: AsyncIterable<Buffer> & { destroy(): void }): Promise<string> => {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    parts.push(part);
    bytes += part.length;
    // Leaving the loop destroys the stream and its connection.
    if (bytes >= answerBytesMax) break;
  }
  const text = new TextDecoder().decode(Buffer.concat(parts).subarray(0, excerptCharactersMax * 4));
  // Operators see the excerpt on a terminal, which control characters would command.
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, excerptCharactersMax);
};

const reasonOf = (status: number): string => {
  if (status >= 200 && status < 300) return 'delivered';
  return status >= 300 && status < 400 ? `answered ${status}; redirects are not followed` : `answered ${status}`;
};

/** Retry-After as seconds or a date (RFC 9110 §10.2.3); 0 for anything else. */
export const askedWaitMs = (header: string, now: Date): number => {
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = /^[A-Z][a-z]{2}, /.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - now.getTime());
};

interface Failure {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
}

const failureOf = (error: unknown): string => {
  if (error instanceof AppError) return error.publicMessage;
  const { name, code, cause } = (error ?? {}) as Failure;
  if (cause instanceof AppError) return cause.publicMessage;
  if (name === 'TimeoutError' || /TIMEOUT|ETIMEDOUT/.test(String(code))) return 'no answer in time';
  // The code alone: a message may quote what the receiver sent.
  return `failed: ${String(code ?? name ?? 'unknown')}`;
};
