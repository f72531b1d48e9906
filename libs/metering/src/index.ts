export { replayKindOf, type QuarantineKey, type QuarantinedUsage } from './quarantine.js';
export * from './quarantine.flow.js';
export * from './rating.js';
export * from './rating.service.js';
export { readRatingLag, type RatingLag } from './rating.store.js';
