import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, constants, createGzip, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Pool, type Dispatcher } from 'undici';
import { DecodedAnswer } from './decoded-answer.js';
import { LaneError } from './failure.js';

let vendor: Server;
let pool: Pool;
let answer: (response: ServerResponse) => void;

beforeAll(async () => {
  vendor = createServer((request, response) => {
    request.resume();
    answer(response);
  }).listen(0, '127.0.0.1');
  await once(vendor, 'listening');
  pool = new Pool(`http://127.0.0.1:${(vendor.address() as AddressInfo).port}`);
});
afterAll(async () => {
  await pool.destroy();
  vendor.close();
  vendor.closeAllConnections();
});

interface Outcome {
  readonly bytes: Buffer;
  readonly pieces: number;
  readonly headers: Record<string, unknown>;
  readonly error: Error | null;
  readonly controller: Dispatcher.DispatchController;
}

/** What an attempt sees. `onPiece` may pause or abort, as attempts do. */
const read = (onPiece: (controller: Dispatcher.DispatchController, piece: Buffer) => void = () => undefined): Promise<Outcome> =>
  new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let headers: Record<string, unknown> = {};
    let controller: Dispatcher.DispatchController;
    const finish = (error: Error | null): void => resolve({ bytes: Buffer.concat(pieces), pieces: pieces.length, headers, error, controller });
    const attempt: Dispatcher.DispatchHandler = {
      onRequestStart: (given) => void (controller = given),
      onResponseStart: (_controller, _status, given) => void (headers = given),
      onResponseData: (given, piece) => {
        pieces.push(piece);
        onPiece(given, piece);
      },
      onResponseEnd: () => finish(null),
      onResponseError: (_controller, error) => finish(error),
    };
    pool.dispatch({ path: '/', method: 'POST', body: 'x' }, new DecodedAnswer(attempt));
  });

const text = Array.from({ length: 5_000 }, (_, index) => `data: {"index":${index}}\n\n`).join('');
const sends = (encoding: string | string[] | null, body: Buffer): void => {
  answer = (response) => {
    if (encoding !== null) response.setHeader('content-encoding', encoding);
    response.setHeader('content-length', body.length).end(body);
  };
};

describe('an answer in an encoding that was not asked for', () => {
  it.each<[string | null, Buffer]>([
    [null, Buffer.from(text)],
    ['identity', Buffer.from(text)],
    ['gzip', gzipSync(text)],
    ['GZip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
  ])('%s reaches the attempt as plain bytes, without the encoding', async (encoding, body) => {
    sends(encoding, body);
    const { bytes, headers, error } = await read();
    expect(error).toBeNull();
    expect(bytes.toString()).toBe(text);
    expect(headers['content-encoding'] ?? 'identity').toBe('identity');
  });

  it('flows: what the vendor has flushed is there before its answer ends', async () => {
    let flushed = false;
    let gzip = createGzip();
    answer = (response) => {
      response.setHeader('content-encoding', 'gzip');
      gzip = createGzip();
      gzip.pipe(response);
      gzip.write('data: first\n\n');
      gzip.flush(constants.Z_SYNC_FLUSH, () => (flushed = true));
    };
    const { bytes } = await read((_controller, piece) => {
      // Ends only when the first event came through.
      if (piece.includes('first')) gzip.end('data: last\n\n');
    });
    expect([flushed, bytes.toString()]).toEqual([true, 'data: first\n\ndata: last\n\n']);
  });

  it('can be paused: nothing comes until it goes on, and then everything', async () => {
    sends('gzip', gzipSync(Buffer.alloc(4 * 1024 * 1024, 'x')));
    let whilePaused = 0;
    let isPaused = false;
    const { bytes, pieces, error } = await read((controller) => {
      if (isPaused) whilePaused += 1;
      controller.pause();
      isPaused = true;
      setImmediate(() => {
        isPaused = false;
        controller.resume();
      });
    });
    expect([error, bytes.length, whilePaused]).toEqual([null, 4 * 1024 * 1024, 0]);
    expect(pieces).toBeGreaterThan(10);
  });

  it('ends when the attempt aborts, also after the whole of it has come in', async () => {
    sends('gzip', gzipSync(Buffer.alloc(4 * 1024 * 1024, 'x')));
    const { bytes, error } = await read((controller) => controller.abort(new Error('enough')));
    expect(error?.message).toBe('enough');
    expect(bytes.length).toBeLessThan(4 * 1024 * 1024);
  });

  it('that breaks off is delivered as far as it came', async () => {
    const whole = gzipSync(text, { level: 0 });
    let breakOff = (): void => undefined;
    answer = (response) => {
      breakOff = () => void response.socket!.resetAndDestroy();
      response.setHeader('content-encoding', 'gzip').write(whole.subarray(0, whole.length / 2));
    };
    const { bytes, error } = await read(() => breakOff());
    expect(error).not.toBeNull();
    expect(bytes.length).toBeGreaterThan(0);
    expect(text.startsWith(bytes.toString())).toBe(true);
  });

  it.each<[string, Buffer]>([
    ['gzip', Buffer.from('this is no gzip at all, whatever its header says')],
    ['gzip', gzipSync(text).subarray(0, 500)],
    ['br', Buffer.from(text)],
  ])('%s that is broken fails', async (encoding, body) => {
    sends(encoding, body);
    expect((await read()).error).not.toBeNull();
  });

  it.each(['compress', 'gzip, br', 'exi', 'x'.repeat(500)])('%s is not known: the lane is to blame and nothing of it is read', async (encoding) => {
    sends(encoding, gzipSync(text));
    const { error, bytes } = await read();
    expect(error).toBeInstanceOf(LaneError);
    expect(error!.message.length).toBeLessThan(150);
    expect(bytes).toHaveLength(0);
  });

  it('that is a bomb ends at the bound, and never holds more than a little of it', async () => {
    // 32 MB in 32 KB.
    sends('gzip', gzipSync(Buffer.alloc(32 * 1024 * 1024)));
    const bytesMax = 8 * 1024 * 1024;
    let seen = 0;
    let largest = 0;
    const { error } = await new Promise<{ error: Error | null }>((resolve) => {
      pool.dispatch(
        { path: '/', method: 'POST', body: 'x' },
        new DecodedAnswer(
          {
            onRequestStart: () => undefined,
            onResponseData: (_controller, piece) => {
              seen += piece.length;
              largest = Math.max(largest, piece.length);
            },
            onResponseEnd: () => resolve({ error: null }),
            onResponseError: (_controller, failed) => resolve({ error: failed }),
          },
          bytesMax,
        ),
      );
    });
    expect(error?.message).toMatch(/compressed answer holds more/);
    expect(seen).toBeLessThanOrEqual(bytesMax);
    expect(largest).toBeLessThanOrEqual(64 * 1024);
  });
});
