import type { Actor, ControlPool } from '@kilotoken/platform';
import type { ControlClient, PrismaDb } from '@kilotoken/platform/prisma';
import type pg from 'pg';

/**
 * Clients and pools whose transactions are part of one that their caller has begun. Flows of the libs begin a transaction each; given one of
 * these, they commit with whatever else the caller's transaction does, or not at all.
 */
export const joinClient = (db: PrismaDb, actor: Actor): ControlClient =>
  new Proxy(db, {
    get: (target, property) => {
      if (property === 'actor') return actor;
      if (property === '$transaction') return <Result>(work: (inner: PrismaDb) => Promise<Result>): Promise<Result> => work(db);
      return Reflect.get(target, property, target) as unknown;
    },
  }) as unknown as ControlClient;

const borders = new Set(['BEGIN', 'COMMIT', 'ROLLBACK']);

export const joinPool = (db: pg.PoolClient, actor: Actor): ControlPool => {
  const query = (...args: [unknown, ...unknown[]]): unknown => {
    const text = typeof args[0] === 'string' ? args[0] : (args[0] as { text?: string }).text;
    // The caller's transaction goes on; where the flow failed, its error ends that one too.
    if (text !== undefined && borders.has(text)) return Promise.resolve({ command: text, rows: [], rowCount: null });
    return (db.query as (...all: unknown[]) => unknown)(...args);
  };
  const client = { query, release: () => undefined, on: () => client, off: () => client };
  return { actor, query, connect: () => Promise.resolve(client) } as unknown as ControlPool;
};
