import pg from 'pg';

/** Says what a migration waits for: who holds the lock, since when, and with which statement. */
export interface LockHolder {
  readonly pid: number;
  readonly application: string;
  readonly state: string;
  /** How long its transaction has been open. */
  readonly openForMs: number;
  /** The statement that it executes or executed last, its beginning. */
  readonly statement: string;
}

const LOOK_EVERY_MS = 200;
const STATEMENT_MS_MAX = 5_000;
const CONNECT_MS_MAX = 5_000;

const HOLDERS = `
  SELECT pid, application_name AS application, coalesce(state, 'unknown') AS state,
         coalesce(extract(epoch FROM clock_timestamp() - xact_start) * 1000, 0)::float8 AS "openForMs", left(regexp_replace(query, '\\s+', ' ', 'g'), 120) AS statement
  FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1)) ORDER BY xact_start`;

export interface WaitObserver {
  /** The holders when it was last seen waiting; empty if it never waited long enough to be seen. */
  lastHolders(): readonly LockHolder[];
  stop(): Promise<void>;
}

/** Watches a migrating session from a connection of its own, since that one cannot speak while it waits. */
export async function watchWaiting(databaseUrl: string, pid: number, onWaiting: (holders: readonly LockHolder[]) => void): Promise<WaitObserver> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECT_MS_MAX, statement_timeout: STATEMENT_MS_MAX, application_name: 'kilotoken-migrate watch' });
  client.on('error', () => undefined);
  await client.connect();
  let holders: readonly LockHolder[] = [];
  let told = '';
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    const { rows } = await client.query<LockHolder>(HOLDERS, [pid]);
    if (rows.length === 0) return;
    holders = rows;
    // Each group of holders is told once, however long it stays in the way.
    const group = rows.map((row) => row.pid).join();
    if (group !== told) onWaiting(rows);
    told = group;
  };
  // A look that fails costs a line of advice; the migration itself says whether it worked.
  const timer = setInterval(() => {
    looking = looking.then(look).catch(() => undefined);
  }, LOOK_EVERY_MS);
  return {
    lastHolders: () => holders,
    stop: async () => {
      clearInterval(timer);
      await looking;
      await client.end();
    },
  };
}

export const describeHolder = ({ pid, application, state, openForMs, statement }: LockHolder): string =>
  `process ${pid} (${application || 'no name'}, ${state}, its transaction open for ${(openForMs / 1_000).toFixed(1)} s): ${statement}`;
