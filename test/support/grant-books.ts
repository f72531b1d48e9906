import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { createPrisma, type PrismaClient } from '@kilotoken/platform/prisma';
import { expectInvariants } from './invariants.js';
import { MoneyDatabase } from './money-database.js';

/** Books for tests of changes of grants. Each test has an organization of its own, with one grant of 10 USD. */
interface GrantBooks {
  money: MoneyDatabase;
  prisma: PrismaClient;
  organizationId: string;
  grantId: string;
}

/** Sets up books for a file of tests, and asserts the invariants after each test. */
export const useGrantBooks = (): GrantBooks => {
  const books = {} as GrantBooks;
  beforeAll(async () => {
    books.money = await MoneyDatabase.create();
    books.prisma = createPrisma(books.money.database.ownerUrl, { applicationName: 'test', connectionsMax: 12 });
  });
  beforeEach(async () => {
    const { organizationId, grantIds } = await books.money.newTenant('10');
    Object.assign(books, { organizationId, grantId: grantIds[0]! });
  });
  afterEach(() => expectInvariants(books.money.database.ownerUrl));
  afterAll(async () => {
    await books.prisma.$disconnect();
    await books.money.drop();
  });
  return books;
};

/** Ends refunds whose leases are back; answers how many. */
export const closeGrants = async ({ money }: GrantBooks): Promise<number> => (await money.app.query<{ n: number }>('SELECT grants_close(100) AS n')).rows[0]!.n;
