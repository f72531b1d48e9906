export { describeBreak, type ChainBreak, type ChainProof } from './chain.js';
export { verifyChains } from './chain.service.js';
export type { GrantRefund, GrantRefundRequest, NewGrantAdjustment } from './grant-change.js';
export { adjustGrant, refundGrant } from './grant-change.service.js';
export { grantSources, type GrantBalance, type GrantSource, type NewGrant } from './grant.js';
export { GrantEndService } from './grant-end.service.js';
export { issueGrant } from './grant.service.js';
export { accounts, describeImbalance, type Account, type AccountBalance, type Imbalance, type LedgerProof } from './ledger.js';
export { listBalances, listGrants, verifyBalanced } from './ledger.service.js';
