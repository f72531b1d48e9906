export { replayKindOf, type QuarantineKey, type QuarantinedUsage } from './quarantine.js';
export * from './quarantine.service.js';
export * from './partition.js';
export * from './partition.service.js';
export * from './partition-archive.service.js';
export { countDefaultRows, listPartitions, makePartition } from './partition.store.js';
export * from './rating.js';
export * from './rating.service.js';
export { readRatingLag, type RatingLag } from './rating.store.js';
