import type { PrismaDb } from './prisma.js';

/** Database time (`kt_now()`), to the millisecond. It stands still inside a transaction. */
export const readDatabaseNow = async (db: PrismaDb): Promise<Date> => {
  const rows = await db.$queryRaw<{ now: Date }[]>`SELECT kt_now() AS now`;
  return rows[0]!.now;
};
