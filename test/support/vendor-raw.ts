import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

/**
 * An answer byte by byte: for vendors whose HTTP or events are wrong in a way that no other field of a script describes.
 *
 *   raw: { parts: ['data: {"choices":[…]}\n\n', { waitMs: 200 }, 'data: [DONE] \n\n'], end: 'silence' }
 */
const part = z.union([
  z.string(),
  /** Bytes that are no text: a compressed body, half a character. */
  z.strictObject({ base64: z.string() }),
  z.strictObject({ waitMs: z.number().int().min(0).max(600_000) }),
  /** The same text so many times over. */
  z.strictObject({ text: z.string(), times: z.number().int().min(1).max(1_000_000) }),
  /** Waits until the test lets it go on (`Vendor.letGo`). */
  z.strictObject({ gate: z.literal(true) }),
]);

export const rawAnswerSchema = z.strictObject({
  status: z.number().int().min(200).max(599).default(200),
  headers: z.record(z.string(), z.string()).default({ 'content-type': 'text/event-stream' }),
  /** How the body is delimited: chunks, a Content-Length, or the end of the connection alone. */
  framing: z.enum(['chunked', 'length', 'close']).default('chunked'),
  parts: z.array(part).max(10_000),
  /**
   * `clean`: the body is complete. `reset`: RST. `fin`: the connection is closed in order, but in the middle of a body in
   * chunks. `silence`: nothing more comes until the client leaves.
   */
  end: z.enum(['clean', 'reset', 'fin', 'silence']).default('clean'),
});
export type RawAnswer = z.infer<typeof rawAnswerSchema>;

type Part = RawAnswer['parts'][number];

const bytesOf = (given: Part): Buffer | null => {
  if (typeof given === 'string') return Buffer.from(given);
  if ('base64' in given) return Buffer.from(given.base64, 'base64');
  return 'text' in given ? Buffer.from(given.text.repeat(given.times)) : null;
};

export interface RawDelivery {
  readonly gone: AbortSignal;
  /** Resolves when the bytes are in the kernel; rejects when the client is gone. */
  readonly write: (bytes: Buffer) => Promise<void>;
  readonly passGate: () => Promise<void>;
  readonly hang: () => Promise<void>;
}

/** Sends the answer; says how it ended. */
export const deliverRaw = async (response: ServerResponse, answer: RawAnswer, { gone, write, passGate, hang }: RawDelivery): Promise<'complete' | 'died' | 'left'> => {
  const headers: Record<string, string | number> = { ...answer.headers };
  if (answer.framing === 'length') headers['content-length'] = answer.parts.reduce((sum, given) => sum + (bytesOf(given)?.length ?? 0), 0);
  // Without it Node ends the body by closing the connection.
  if (answer.framing === 'close') response.removeHeader('transfer-encoding');
  response.writeHead(answer.status, headers);
  response.flushHeaders();
  for (const given of answer.parts) {
    const bytes = bytesOf(given);
    if (bytes) await write(bytes);
    else if (typeof given === 'object' && 'waitMs' in given) await delay(given.waitMs, undefined, { signal: gone });
    else await passGate();
  }
  switch (answer.end) {
    case 'clean':
      response.end();
      return 'complete';
    case 'reset':
      response.socket?.resetAndDestroy();
      return 'died';
    case 'fin':
      response.socket?.end();
      return 'died';
    case 'silence':
      await hang();
      return 'left';
  }
};
