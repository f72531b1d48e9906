import type pg from 'pg';

/**
 * What a store takes that only asks questions. Prisma's client and its transactions have it, and a pool of ours has it through `readThrough`: a command that
 * shows something then does not wait for Prisma, which takes longer to load than the rest of the command line. Amounts are asked for as text, so both
 * answer alike.
 */
export interface RawDb {
  $queryRaw<Rows>(text: TemplateStringsArray, ...values: unknown[]): Promise<Rows>;
}

export const readThrough = (pool: pg.Pool): RawDb => ({
  $queryRaw: async <Rows>(text: TemplateStringsArray, ...values: unknown[]) => {
    const statement = text.reduce((before, part, index) => `${before}$${index}${part}`);
    return (await pool.query(statement, values)).rows as Rows;
  },
});
