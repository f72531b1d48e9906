export * from './accumulator.js';
export { addToCounters, takeCounters } from './accumulator.store.js';
export * from './portions.js';
export * from './price.js';
export { ensurePriceBook, readPriceBooks } from './price-book.store.js';
export { groupRates, pastPricesMs, priceKey, type RateRow } from './price-version.js';
export { findLatestEffectiveAt, insertPriceVersion, listCurrentRates, loadPriceVersion } from './price-version.store.js';
export * from './pricing.js';
