export { describeBreak, type ChainBreak, type ChainProof } from './chain.js';
export { verifyChains } from './chain.flow.js';
export type { GrantRefund, GrantRefundRequest, GrantTransfer, NewGrantAdjustment, NewGrantTransfer } from './grant-change.js';
export { adjustGrant, refundGrant, transferGrant } from './grant-change.flow.js';
export { grantSources, type GrantBalance, type GrantSource, type NewGrant } from './grant.js';
export { issueGrant } from './grant-issue.flow.js';
export { listGrants } from './grant.store.js';
export { describeImbalance, type Account, type AccountBalance, type Imbalance, type LedgerProof, type NewTransaction, type Posting } from './ledger.js';
export { listAccounts, listBalances, lockForPosting, postTransaction, verifyBalanced } from './ledger.store.js';
