export { assert } from './assert.js';
export { listGrantBalances, type GrantBalance, type PollAnswer } from './funding.store.js';
export * from './lease.service.js';
export * from './returning.js';
export * from './session.service.js';
export * from './settlement.service.js';
export { type GateClosed, type GatewayClosed } from './settlement-gate.js';
export * from './settlement.js';
export * from './wallet.js';
