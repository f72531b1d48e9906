import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { createTestDatabase } from '../../../../test/support/postgres.js';
import { databaseLifeline, whileAnswering, type Lifeline } from './lifeline.js';

/** Answers as it is told, then no more. */
const answering = (...answers: boolean[]): { ask: Lifeline; asked: () => number } => {
  let asked = 0;
  const ask = async (): Promise<void> => {
    asked += 1;
    if (!answers[asked - 1]) throw new Error('silence');
  };
  return { ask, asked: () => asked };
};

describe('a lifeline', () => {
  it.each([
    ['that never answers', [], 3],
    ['that answers now and then', [false, false, true], 6],
  ])('%s is silent after three questions in a row: work is waited for no more', async (_name, answers, questions) => {
    const { ask, asked } = answering(...answers);
    expect(await whileAnswering(ask, new Promise(() => undefined))).toBe(false);
    expect(asked()).toBe(questions);
  }, 30_000);

  it('says nothing against work that ends, or fails', async () => {
    const { ask } = answering();
    expect(await whileAnswering(ask, Promise.resolve(7))).toBe(7);
    await expect(whileAnswering(ask, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  });
});

describe('the lifeline of a database', () => {
  it('answers where that takes connections, and rejects where it refuses them or says nothing', async () => {
    const database = await createTestDatabase();
    const sockets = new Set<Socket>();
    const silence = createServer((socket) => sockets.add(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(silence, 'listening');
    try {
      await databaseLifeline(database.appUrl, 'test')();
      await expect(databaseLifeline('postgresql://a:b@127.0.0.1:1/c', 'test')()).rejects.toThrow('ECONNREFUSED');
      const { port } = silence.address() as AddressInfo;
      await expect(databaseLifeline(`postgresql://a:b@127.0.0.1:${port}/c`, 'test')()).rejects.toThrow('timeout');
    } finally {
      sockets.forEach((socket) => socket.destroy());
      silence.close();
      await database.drop();
    }
  });
});
