export * from './pricing.js';
export * from './portions.js';
