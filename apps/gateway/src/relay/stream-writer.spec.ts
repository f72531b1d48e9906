import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { until } from '../../../../test/support/until.js';
import { createClient } from '../request/client.js';
import { createStreamWriter, type StreamWriter } from './stream-writer.js';

let server: Server;
let socket: Socket | undefined;
afterEach(() => {
  socket?.destroy();
  server.closeAllConnections();
  server.close();
});

const stallMsMax = 60_000;
const writerOf = (response: ServerResponse, onBlocked: (blocked: boolean) => void = () => undefined): StreamWriter =>
  createStreamWriter(createClient(response, {}, null), { headers: {}, stallMsMax, onBlocked, onWritten: () => undefined });

const listen = async (onRequest: (url: string, response: ServerResponse) => void): Promise<number> => {
  server = createServer((request, response) => onRequest(request.url!, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

/** Sends bytes over a connection and gathers what comes back, as it is on the wire. */
const send = (port: number, bytes: string): { received: () => string; socket: Socket } => {
  const opened = connect(port, '127.0.0.1', () => opened.write(bytes));
  socket = opened;
  const parts: Buffer[] = [];
  opened.on('data', (part) => parts.push(part)).on('error', () => undefined);
  return { received: () => Buffer.concat(parts).toString(), socket: opened };
};

/** The bodies of answers one after the other on a connection: their chunks by their lengths in bytes. */
const readBodies = (wire: string): string[][] => {
  let rest = Buffer.from(wire);
  const bodies: string[][] = [];
  while (rest.length > 0) {
    rest = rest.subarray(rest.indexOf('\r\n\r\n') + 4);
    const chunks: string[] = [];
    for (;;) {
      const lineEnd = rest.indexOf('\r\n');
      const length = Number.parseInt(rest.subarray(0, lineEnd).toString(), 16);
      const chunk = rest.subarray(lineEnd + 2, lineEnd + 2 + length);
      expect(rest.subarray(lineEnd + 2 + length, lineEnd + 4 + length).toString()).toBe('\r\n');
      rest = rest.subarray(lineEnd + 4 + length);
      if (length === 0) break;
      chunks.push(chunk.toString());
    }
    bodies.push(chunks);
  }
  return bodies;
};

const pieces = ['data: one\n\n', 'data: zwölf 🦀 字\n\n', 'data: three\n\n'];

const writeInTurns = (response: ServerResponse): void => {
  const writer = writerOf(response);
  const left = [...pieces];
  const next = (): void => {
    const piece = left.shift();
    if (piece === undefined) return writer.end('data: [DONE]\n\n');
    writer.write(piece);
    setImmediate(next);
  };
  next();
};

describe('a stream to a client', () => {
  it('is chunks whose lengths are in bytes, on a connection that is used again', async () => {
    const port = await listen((_url, response) => writeInTurns(response));
    const { received, socket: client } = send(port, 'GET / HTTP/1.1\r\nhost: h\r\n\r\n');
    await until('the first answer ended', () => received().endsWith('0\r\n\r\n'));
    client.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
    await until('both answers ended', () => received().split('0\r\n\r\n').length === 3);
    const whole = [...pieces, 'data: [DONE]\n\n'];
    expect(readBodies(received())).toEqual([whole, whole]);
  });

  it('waits for its turn behind another on the same connection', async () => {
    let first: ServerResponse | undefined;
    const port = await listen((url, response) => {
      if (url === '/first') first = response;
      else writeInTurns(response);
    });
    const { received } = send(port, 'GET /first HTTP/1.1\r\nhost: h\r\n\r\nGET /second HTTP/1.1\r\nhost: h\r\n\r\n');
    await until('the first request came', () => first !== undefined);
    // The second one is written and ended before the first has said anything.
    for (let turn = 0; turn < pieces.length + 2; turn += 1) await new Promise(setImmediate);
    const writer = writerOf(first!);
    writer.write('data: before\n\n');
    writer.end('data: the others\n\n');
    await until('both answers ended', () => received().split('0\r\n\r\n').length === 3);
    expect(readBodies(received()).map((chunks) => chunks.join(''))).toEqual(['data: before\n\ndata: the others\n\n', `${pieces.join('')}data: [DONE]\n\n`]);
  });

  it('has no chunks for a client that does not know them', async () => {
    const port = await listen((_url, response) => writeInTurns(response));
    const { received } = send(port, 'GET / HTTP/1.0\r\n\r\n');
    await until('the answer ended', () => received().includes('[DONE]'));
    expect(received().split('\r\n\r\n')[1]).toBe(`${pieces.join('')}data: [DONE]\n\n`);
  });

  it('says when the client does not take more and when it does again, and loses nothing', async () => {
    const told: boolean[] = [];
    const piece = `data: ${'x'.repeat(65_536)}\n\n`;
    // More than the system keeps for a client that does not read.
    const piecesInAll = 512;
    let written = 0;
    let connection: Socket | null = null;
    const port = await listen((_url, response) => {
      connection = response.socket;
      let isBlocked = false;
      const writeOn = (): void => {
        for (; !isBlocked && written < piecesInAll; written += 1) writer.write(piece);
        if (!isBlocked) writer.end('');
      };
      const writer = writerOf(response, (blocked) => {
        told.push(blocked);
        isBlocked = blocked;
        if (!blocked) writeOn();
      });
      writeOn();
    });
    const { received, socket: client } = send(port, 'GET / HTTP/1.1\r\nhost: h\r\n\r\n');
    client.pause();
    await until('the client was too slow', () => told.length > 0);
    expect(written).toBeLessThan(piecesInAll);
    client.resume();
    await until('all was written', () => written === piecesInAll && told.at(-1) === false);
    await until('the answer ended', () => received().endsWith('0\r\n\r\n'));
    expect(told).toEqual(told.map((_value, index) => index % 2 === 0));
    expect(readBodies(received())[0]!.join('').length).toBe(piece.length * piecesInAll);
    expect(connection!.listenerCount('drain')).toBe(1); // The server's own.
  });
});
