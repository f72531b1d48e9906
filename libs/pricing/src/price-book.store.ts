import { mintId, readDatabaseNow, type RawDb } from '@kilotoken/platform';
import type { PrismaDb } from '@kilotoken/platform/prisma';

export const ensurePriceBook = async (db: PrismaDb, name: string): Promise<string> => {
  const known = await db.priceBook.findUnique({ where: { name } });
  if (known) return known.id;
  const created = await db.priceBook.create({ data: { id: mintId((await readDatabaseNow(db)).getTime()), name } });
  return created.id;
};

export const readPriceBooks = (db: RawDb): Promise<{ id: string; name: string }[]> => db.$queryRaw`SELECT id::text, name FROM price_book ORDER BY name`;
