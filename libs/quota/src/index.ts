export type { StoredLimit } from './limits.store.js';
export { remainingOf, type Counter, type Keep } from './counter.js';
export * from './limit.js';
export * from './limits.flow.js';
export * from './quota.service.js';
export * from './quota.js';
export * from './quota-state.js';
export { exchangeLimits } from './quota.store.js';
export { usedOf } from './use.js';
