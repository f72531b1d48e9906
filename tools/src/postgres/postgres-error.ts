/** Why Postgres does not start, and what to do, written for whoever wanted it to. */
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

/** Names the cause that Postgres' own output tells of, when it is one that the reader can mend. */
export function explainOutput(what: string, output: string): PostgresStartError {
  if (/No space left on device|Disk quota exceeded/.test(output)) {
    return new PostgresStartError('disk_full', `The disk is full, and ${what}. Free some space (a first start needs about 1 GB) and start again; nothing was lost.\n\n${indent(output)}`);
  }
  if (/Address already in use/.test(output)) return new PostgresStartError('port_taken', `The port for Postgres is taken: ${what}.\n\n${indent(output)}`);
  return new PostgresStartError('failed', `${what}. Postgres said:\n\n${indent(output)}`);
}

const indent = (output: string): string => output.replace(/^/gm, '  ');
