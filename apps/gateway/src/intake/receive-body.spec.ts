import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createBytesMeter, type BytesMeter } from '../bounds/bytes-meter.js';
import type { Deadlines } from '../bounds/deadlines.js';
import { Refusal } from '../request/refusal.js';
import { loopBytesMax } from './body-work.js';
import { receiveBody, type ReceivedBody } from './receive-body.js';

const owner = { apiKeyId: 'key', organizationId: 'organization' };
const KiB = 1024;
const bodyBytesMax = 1_000 * KiB;

let meter: BytesMeter;
let server: Server;
let client: Socket;
/** Deadlines that the test lets pass. */
let waiting: Set<() => void>;
let deadlines: Deadlines;
let ended: Promise<ReceivedBody | Error>;
let bytesArrived: number;
let onArrival: () => void;

beforeEach(async () => {
  meter = createBytesMeter({ all: 4_000 * KiB, perOrganization: 2_000 * KiB, perKey: 1_500 * KiB });
  waiting = new Set();
  bytesArrived = 0;
  onArrival = () => undefined;
  deadlines = {
    add: (_inMs, expire) => {
      waiting.add(expire);
      return () => void waiting.delete(expire);
    },
    stop: () => undefined,
  };
  server = createServer().listen(0, '127.0.0.1');
  ended = new Promise((resolve) => {
    server.on('request', (request: IncomingMessage) => {
      receiveBody({ meter, deadlines, bodyBytesMax, stallMsMax: 1 }, owner, request, (error, body) => resolve(error ?? body!));
      request.on('data', (piece: Buffer) => {
        bytesArrived += piece.length;
        onArrival();
      });
      onArrival();
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
});
afterEach(async () => {
  client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const announce = (bytes: number): void => void client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
const announceChunks = (): void => void client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const lastChunk = '0\r\n\r\n';

/** Resolves once the request is there with so many bytes of its body. */
const arrived = async (bytes: number): Promise<void> =>
  new Promise((resolve) => {
    onArrival = () => waiting.size > 0 && bytesArrived >= bytes && resolve();
    onArrival();
  });

const received = async (): Promise<ReceivedBody> => {
  const end = await ended;
  if (end instanceof Error) throw end;
  return end;
};
const refused = async (): Promise<string> => {
  const end = await ended;
  return end instanceof Refusal ? end.code : `not refused: ${String(end)}`;
};

describe('a body', () => {
  test.each([0, 1, 500, loopBytesMax, loopBytesMax + 1, 300_000])('of %i announced bytes is received as it was sent, and its bytes are reserved until they are released', async (bytes) => {
    const text = 'abcdefg'.repeat(bytes).slice(0, bytes);
    announce(bytes);
    client.write(text);
    const body = await received();
    expect(Buffer.from(body.bytes).toString()).toBe(text);
    expect(body.bytes.buffer instanceof SharedArrayBuffer).toBe(bytes > loopBytesMax);
    expect(meter.inFlight).toBe(bytes);
    body.release();
    expect(meter.inFlight).toBe(0);
    expect(waiting.size).toBe(0);
  });

  test.each([1, 500, loopBytesMax, loopBytesMax + 1, 300_001])('of %i bytes in chunks is received as it was sent', async (bytes) => {
    const text = 'abcdefg'.repeat(bytes).slice(0, bytes);
    announceChunks();
    for (let at = 0; at < bytes; at += 9_999) client.write(chunk(text.slice(at, at + 9_999)));
    client.write(lastChunk);
    const body = await received();
    expect(Buffer.from(body.bytes).toString()).toBe(text);
    expect(body.bytes.buffer instanceof SharedArrayBuffer && body.bytes.buffer.byteLength !== bytes).toBe(false);
    expect(meter.inFlight).toBeGreaterThanOrEqual(bytes);
    body.release();
    expect(meter.inFlight).toBe(0);
  });

  test('that is announced too long is refused before a byte of it came', async () => {
    announce(bodyBytesMax + 1);
    expect(await refused()).toBe('body_too_large');
    expect(meter.inFlightMax).toBe(0);
  });

  test('in chunks is refused where it exceeds the limit, and its bytes are given back', async () => {
    announceChunks();
    for (let sent = 0; sent <= bodyBytesMax; sent += 50 * KiB) client.write(chunk('x'.repeat(50 * KiB)));
    expect(await refused()).toBe('body_too_large');
    expect([meter.inFlight, meter.inFlightMax <= bodyBytesMax + 64 * KiB]).toEqual([0, true]);
  });

  test.each([
    ['key', owner, 'rate_limit_exceeded'],
    ['organization', { ...owner, apiKeyId: 'another' }, 'rate_limit_exceeded'],
  ])('that finds no room left to its %s is refused before it is read', async (_, holder, code) => {
    meter.reserve(holder, 1_000 * KiB);
    if (holder !== owner) meter.reserve({ ...owner, apiKeyId: 'a third' }, 700 * KiB);
    announce(800 * KiB);
    expect(await refused()).toBe(code);
    expect(meter.inFlight).toBe(holder === owner ? 1_000 * KiB : 1_700 * KiB);
  });

  test('that finds no room in all is refused as unavailable', async () => {
    for (const name of ['a', 'b', 'c']) meter.reserve({ apiKeyId: name, organizationId: name }, 900 * KiB);
    announce(800 * KiB);
    expect(await refused()).toBe('service_unavailable');
  });

  test('in chunks that finds no room for its next bytes gives those back that it had', async () => {
    meter.reserve(owner, 1_000 * KiB);
    announceChunks();
    for (let sent = 0; sent < 12; sent += 1) client.write(chunk('x'.repeat(50 * KiB)));
    expect(await refused()).toBe('rate_limit_exceeded');
    expect(meter.inFlight).toBe(1_000 * KiB);
  });
});

describe('a slow body', () => {
  const passTime = (): void => [...waiting].forEach((expire) => (waiting.delete(expire), expire()));

  test('that does not grow enough in its time is refused with 408', async () => {
    announce(100 * KiB);
    client.write('x'.repeat(20 * KiB));
    await arrived(20 * KiB);
    passTime();
    expect(waiting.size).toBe(1);
    client.write('x');
    await arrived(20 * KiB + 1);
    passTime();
    expect(await refused()).toBe('request_timeout');
    expect([meter.inFlight, waiting.size]).toEqual([0, 0]);
  });

  test('of which nothing comes is refused with 408', async () => {
    announce(10);
    await arrived(0);
    passTime();
    expect(await refused()).toBe('request_timeout');
  });

  test('whose client leaves gives its bytes back', async () => {
    announce(100 * KiB);
    await arrived(0);
    expect(meter.inFlight).toBe(100 * KiB);
    client.destroy();
    expect(await ended).not.toHaveProperty('bytes');
    expect([meter.inFlight, waiting.size]).toEqual([0, 0]);
  });

  test('in chunks of one byte is refused once they are many', async () => {
    announceChunks();
    client.write(chunk('x').repeat(5_000));
    expect(await refused()).toBe('body_too_complex');
    expect(meter.inFlight).toBe(0);
  });
});
