import { mintId, readDatabaseNow, type RawDb } from '@kilotoken/platform';
import {
  grantAdjustmentSchema, grantRefundSchema, grantTransferSchema, type GrantRefund, type GrantRefundRequest, type GrantTransfer, type NewGrantAdjustment, type NewGrantTransfer,
} from './grant-change.js';
import { callGrantAdjust, callGrantRefund, callGrantTransfer } from './grant-change.store.js';
import type { GrantBalance } from './grant.js';
import { listGrants } from './grant.store.js';
import { explained, parseInput } from './refusals.js';

/**
 * Changes of grants. Each takes its caller's transaction first and commits or ends with it; a refusal fails that transaction. A transaction
 * that makes several changes calls `lockForPosting` before the first one.
 */

/**
 * Refunds an amount of a grant, or all that remains, which closes it. Throws `grant_invalid`, `grant_not_found`, `grant_below_floor` for more
 * than remains, `grant_closed`, `grant_reference_used`, `account_not_allowed`.
 */
export const refundGrant = async (db: RawDb, input: GrantRefundRequest): Promise<GrantRefund> => {
  const request = parseInput(grantRefundSchema, input);
  return explained(() => callGrantRefund(db, request));
};

/**
 * Adds to a grant, or takes from its available amount; answers the grant. Throws as `refundGrant`, with `grant_below_floor` where less than that
 * is available.
 */
export const adjustGrant = async (db: RawDb, input: NewGrantAdjustment): Promise<GrantBalance> => {
  const adjustment = parseInput(grantAdjustmentSchema, input);
  await explained(() => callGrantAdjust(db, adjustment));
  return (await listGrants(db, adjustment.organizationId)).find(({ id }) => id === adjustment.grantId)!;
};

/**
 * Transfers an available amount to another organization of the account tree, where it is a grant on the same terms. Throws as `adjustGrant`,
 * `organization_not_found`, and `organizations_not_related` outside of one tree.
 */
export const transferGrant = async (db: RawDb, input: NewGrantTransfer): Promise<GrantTransfer> => {
  const transfer = parseInput(grantTransferSchema, input);
  const toGrantId = mintId((await readDatabaseNow(db)).getTime());
  return explained(() => callGrantTransfer(db, { ...transfer, toGrantId }));
};
