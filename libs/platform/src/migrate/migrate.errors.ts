export type MigrationErrorCode =
  | 'definition_changed'
  | 'migration_changed'
  | 'migration_failed'
  | 'migration_lock_timeout'
  | 'migration_unfinished'
  | 'database_newer';

/** The message is written for the operator: it says what is wrong and what to do. */
export class MigrationError extends Error {
  constructor(
    readonly code: MigrationErrorCode,
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'MigrationError';
  }
}
