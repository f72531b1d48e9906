export * from './allocation.js';
export * from './arithmetic.js';
export * from './charge.js';
export * from './usage-row.js';
