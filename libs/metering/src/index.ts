export * from './rating.js';
export * from './rating.service.js';
export { readRatingLag, type RatingLag } from './rating.store.js';
export * from './reaping.js';
export * from './reaping.service.js';
