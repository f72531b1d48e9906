import type { Db } from './database.js';

/**
 * The database as a store takes it that works in its caller's transaction, or that only reads. Prisma's client and its transactions have this
 * shape; a pool or client of node-postgres gets it by `throughPg`. Amounts travel as text, so all answer alike.
 */
export interface RawDb {
  $queryRaw<Rows>(text: TemplateStringsArray, ...values: unknown[]): Promise<Rows>;
}

/**
 * A client that has begun a transaction keeps all statements in it. A pool takes a connection a statement; a command line that only reads
 * uses one, because Prisma takes longer to load than the rest of the command.
 */
export const throughPg = (db: Db): RawDb => ({
  $queryRaw: async <Rows>(text: TemplateStringsArray, ...values: unknown[]) => {
    const statement = text.reduce((before, part, index) => `${before}$${index}${part}`);
    return (await db.query(statement, values)).rows as Rows;
  },
});
