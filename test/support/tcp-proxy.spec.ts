import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

let server: Server;
let proxy: TcpProxy;
let received: Buffer;
let accepted: Socket[];
const clients: Client[] = [];

beforeEach(async () => {
  received = Buffer.alloc(0);
  accepted = [];
  // Echoes, so both directions are seen.
  server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      socket.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await startTcpProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await proxy.close();
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

class Client {
  pieces: Buffer[] = [];
  ended = false;
  error: NodeJS.ErrnoException | null = null;
  readonly socket = connect({ host: proxy.host, port: proxy.port, noDelay: true });

  constructor() {
    clients.push(this);
    this.socket.on('data', (bytes: Buffer) => this.pieces.push(bytes));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('error', (error) => (this.error = error));
  }
  text = (): string => Buffer.concat(this.pieces).toString();
}

async function talk(message: string): Promise<Client> {
  const client = new Client();
  await once(client.socket, 'connect');
  client.socket.write(message);
  return client;
}

describe('the TCP proxy', () => {
  it('passes bytes on unchanged, in both directions, split as it is told', async () => {
    proxy.setFaults({ splitBytes: 1 }, 'toClient');
    const client = await talk('hello');
    await until('the echo is back', () => client.text() === 'hello');
    expect(received.toString()).toBe('hello');
  });

  it('delays, drips and corrupts', async () => {
    proxy.setFaults({ delayMs: 100, corruptByteAt: 1 }, 'toServer');
    const startedAt = performance.now();
    const client = await talk('abc');
    await until('the echo is back', () => client.text().length === 3);
    expect(performance.now() - startedAt).toBeGreaterThan(95);
    expect(client.text()).toBe('acc');
    proxy.heal();
    proxy.setFaults({ bytesPerSecond: 100 }, 'toClient');
    const drippedFrom = performance.now();
    client.socket.write('x'.repeat(20));
    await until('the drip is through', () => client.text().length === 23);
    expect(performance.now() - drippedFrom).toBeGreaterThan(150);
  });

  it('delivers what triggered a cut and loses the answer', async () => {
    const struck = proxy.cut({ direction: 'toServer', pattern: 'COMMIT', trigger: 'deliver', how: 'reset' });
    const client = await talk('BEGIN;COM');
    await until('the first part is back', () => client.text() === 'BEGIN;COM');
    client.socket.write('MIT');
    await struck;
    await until('the client sees the reset', () => client.error?.code === 'ECONNRESET');
    expect(received.toString()).toBe('BEGIN;COMMIT');
    expect(client.text()).toBe('BEGIN;COM');
    const next = await talk('COMMIT');
    await until('the next one passes', () => next.text() === 'COMMIT');
  });

  it('swallows what triggered a cut', async () => {
    const struck = proxy.cut({ direction: 'toClient', pattern: 'answer', trigger: 'swallow', how: 'half_close' });
    const client = await talk('answer');
    await struck;
    await until('the client sees the end', () => client.ended);
    expect(received.toString()).toBe('answer');
    expect(client.text()).toBe('');
  });

  it('cuts after a number of bytes', async () => {
    const struck = proxy.cut({ direction: 'toClient', afterBytes: 4, trigger: 'swallow', how: 'reset' });
    const client = await talk('1234');
    await until('the first four are back', () => client.text() === '1234');
    client.socket.write('5');
    await struck;
    await until('the client sees the reset', () => client.error !== null);
    expect(client.text()).toBe('1234');
  });

  it('leaves a connection half-open, pauses, refuses and resets', async () => {
    const struck = proxy.cut({ direction: 'toServer', pattern: 'hush', trigger: 'swallow', how: 'silence' });
    const silent = await talk('hush');
    await struck;
    expect(silent.socket.destroyed).toBe(false);
    expect(received.length).toBe(0);

    proxy.setFaults({ paused: true }, 'toClient');
    const paused = await talk('later');
    await until('the server got it', () => received.toString() === 'later');
    expect(paused.text()).toBe('');
    proxy.heal();
    await until('it came after all', () => paused.text() === 'later');

    proxy.refuse(true);
    const refused = new Client();
    await until('the refusal is seen', () => refused.error !== null || refused.socket.destroyed);
    proxy.resetAll();
    await until('all are gone', () => paused.error !== null && silent.error !== null);
  });
});
