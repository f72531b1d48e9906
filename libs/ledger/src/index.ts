export { describeBreak, type ChainBreak, type ChainProof } from './chain.js';
export { verifyChains } from './chain.flow.js';
export {
  grantAdjustmentSchema, grantRefundSchema, grantTransferSchema, type GrantRefund, type GrantRefundRequest, type GrantTransfer, type NewGrantAdjustment, type NewGrantTransfer,
} from './grant-change.js';
export { adjustGrant, refundGrant, transferGrant } from './grant-change.flow.js';
export { amountSchema, grantSources, newGrantSchema, unitSchema, type GrantBalance, type GrantSource, type NewGrant } from './grant.js';
export { issueGrant } from './grant-issue.flow.js';
export { listGrants } from './grant.store.js';
export { parseInput as parseGrantInput } from './refusals.js';
export { describeImbalance, type Account, type AccountBalance, type Imbalance, type LedgerProof, type NewTransaction, type Posting } from './ledger.js';
export { listAccounts, listBalances, lockForPosting, postTransaction, verifyBalanced } from './ledger.store.js';
