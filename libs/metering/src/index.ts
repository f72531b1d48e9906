export { replayKindOf, type QuarantineKey, type QuarantinedUsage } from './quarantine.js';
export * from './quarantine.flow.js';
export * from './partition.js';
export * from './partition.service.js';
export * from './partition-archive.flow.js';
export { countDefaultRows, listPartitions, makePartition } from './partition.store.js';
export * from './rating.js';
export * from './rating.service.js';
export { readRatingLag, type RatingLag } from './rating.store.js';
