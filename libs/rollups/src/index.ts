export * from './rollup.js';
export * from './rollup-keeping.service.js';
export * from './rollup-reading.service.js';
export * from './rollup.service.js';
export { readRollupLag, type RollupLag } from './rollup.store.js';
export type { RollupDifference, RollupProof } from './rollup-verification.store.js';
