export * from './allocation.js';
export * from './charge.js';
export * from './usage-row.js';
