export { startPostgres, PostgresStartError, type PostgresOptions, type RunningPostgres } from './start.js';
export { findRunningPostgres, stopOrphanedPostgres, stopPostgres, type StopMode } from './orphan.js';
