import type { RawDb } from '@kilotoken/platform';
import type { GrantBalance } from './grant.js';
import { readGrantBalances } from './grant.store.js';
import type { AccountBalance, LedgerProof } from './ledger.js';
import { readBalances, readProof } from './ledger.store.js';

/** Every grant of an organization in burn order, in one snapshot. */
export const listGrants = (db: RawDb, organizationId: string): Promise<GrantBalance[]> => readGrantBalances(db, organizationId);

/** What an organization's accounts stood at, or all organizations' together, at a moment or now. */
export const listBalances = (db: RawDb, organizationId: string | null, at: Date | null = null): Promise<AccountBalance[]> => readBalances(db, organizationId, at);

/** Proves I1 over the whole ledger. */
export const verifyBalanced = (db: RawDb): Promise<LedgerProof> => readProof(db);
