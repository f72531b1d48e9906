export * from './partition.js';
export * from './partition.service.js';
export * from './partition-archive.flow.js';
export { countDefaultRows, listPartitions, makePartition } from './partition.store.js';
