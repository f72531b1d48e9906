import type { PrismaDb } from '@kilotoken/platform/prisma';
import type { GrantBalance } from './grant.js';
import { readGrantBalances } from './grant.store.js';
import type { AccountBalance, LedgerProof } from './ledger.js';
import { readBalances, readProof, readTrialBalance } from './ledger.store.js';

/** Every grant of an organization in burn order, in one snapshot. */
export const listGrants = (db: PrismaDb, organizationId: string): Promise<GrantBalance[]> => readGrantBalances(db, organizationId);

/** What an organization's accounts stand at, or all organizations' together. */
export const listBalances = (db: PrismaDb, organizationId: string | null): Promise<AccountBalance[]> =>
  organizationId === null ? readTrialBalance(db) : readBalances(db, organizationId);

/** Proves I1 over the whole ledger. */
export const verifyBalanced = (db: PrismaDb): Promise<LedgerProof> => readProof(db);
