export { makePassableFolder } from './unprivileged-user.js';
export { startPostgres, type PostgresOptions, type RunningPostgres } from './start.js';
export { PostgresStartError } from './postgres-error.js';
export { findRunningPostgres, stopOrphanedPostgres, stopPostgres, type StopMode } from './orphan.js';
