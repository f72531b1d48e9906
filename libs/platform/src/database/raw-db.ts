import type { Db } from './database.js';

/**
 * The connection of a store that either needs no Prisma or may be called inside its transactions. Prisma's client and its transactions have this shape;
 * `readThrough` gives it to a pool or a transaction of ours. A command that only shows something then does not load Prisma, which takes longer to load
 * than the rest of the command line. Amounts are asked for as text, so both answer alike.
 */
export interface RawDb {
  $queryRaw<Rows>(text: TemplateStringsArray, ...values: unknown[]): Promise<Rows>;
}

export const readThrough = (db: Db): RawDb => ({
  $queryRaw: async <Rows>(text: TemplateStringsArray, ...values: unknown[]) => {
    const statement = text.reduce((before, part, index) => `${before}$${index}${part}`);
    return (await db.query(statement, values)).rows as Rows;
  },
});
