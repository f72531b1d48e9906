/** Postgres does not start. The message tells an operator the cause and the remedy. */
export class PostgresStartError extends Error {
  override readonly name = 'PostgresStartError';

  constructor(
    readonly code: 'not_installed' | 'no_user' | 'folder_closed' | 'other_version' | 'port_taken' | 'disk_full' | 'failed',
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** Reads Postgres' own output for a cause that an operator can mend. `what`: the failed step, as a clause. */
export function explainOutput(what: string, output: string): PostgresStartError {
  if (/No space left on device|Disk quota exceeded/.test(output)) {
    return new PostgresStartError('disk_full', `The disk is full: ${what}. Free some space (a first start needs about 1 GB) and start again. Nothing was lost.\n\n${indent(output)}`);
  }
  if (/Address already in use/.test(output)) return new PostgresStartError('port_taken', `Another program has the port for Postgres: ${what}.\n\n${indent(output)}`);
  return new PostgresStartError('failed', `${what}. Postgres reports:\n\n${indent(output)}`);
}

const indent = (output: string): string => output.replace(/^/gm, '  ');
