export * from './rollup.js';
export * from './rollup-keeping.flow.js';
export * from './rollup-reading.flow.js';
export * from './rollup.service.js';
export { grainOf, readRollupLag, type RollupLag } from './rollup.store.js';
export type { RollupDifference, RollupProof } from './rollup-verification.store.js';
export { rolledUpAgain, rollupKey } from './rollup-verification.store.js';
