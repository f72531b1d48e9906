export { startPostgres, PostgresStartError, type PostgresOptions, type RunningPostgres } from './start.js';
export { findRunningPostgres, stopPostgres, type StopMode } from './orphan.js';
