import pg from 'pg';
import { invariantQueries } from './invariants-queries.js';
import { until } from './until.js';

/** Checks the invariants of the money in a database; every fault test ends with `expectInvariants`. */

export interface Violation {
  invariant: string;
  says: string;
  detail: string;
}

export interface InvariantOptions {
  /** Where a test causes quarantine on purpose. */
  quarantineExpected?: boolean;
}

const STATEMENT_MS_MAX = 60_000;
const RATED_MS_MAX = 60_000;
const DETAILS_PER_QUERY_MAX = 20;

export async function withOwner<Result>(ownerUrl: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: ownerUrl, connectionTimeoutMillis: 10_000, statement_timeout: STATEMENT_MS_MAX, query_timeout: STATEMENT_MS_MAX });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** All queries see one snapshot, so they may run while gateways and raters work. */
export async function findViolations(ownerUrl: string, options: InvariantOptions = {}): Promise<Violation[]> {
  return withOwner(ownerUrl, async (client) => {
    const violations: Violation[] = [];
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    for (const { name, says, sql } of invariantQueries) {
      if (name === 'quarantine' && options.quarantineExpected) continue;
      const { rows } = await client.query<{ violation: string }>(`SELECT violation FROM (${sql}) found LIMIT ${DETAILS_PER_QUERY_MAX}`);
      violations.push(...rows.map(({ violation }) => ({ invariant: name, says, detail: violation })));
    }
    await client.query('COMMIT');
    return violations;
  });
}

/** Waits until the rater has posted everything. */
export async function untilRated(ownerUrl: string, timeoutMs = RATED_MS_MAX): Promise<void> {
  await withOwner(ownerUrl, (client) =>
    until('every flush is rated', async () => (await client.query('SELECT 1 FROM unrated_batch LIMIT 1')).rowCount === 0, timeoutMs),
  );
}

/** Throws with every violation in words. */
export async function expectInvariants(ownerUrl: string, options: InvariantOptions = {}): Promise<void> {
  const violations = await findViolations(ownerUrl, options);
  if (violations.length === 0) return;
  throw new Error(`${violations.length} violations:\n${violations.map(({ invariant, says, detail }) => `  ${invariant}: ${says}\n    ${detail}`).join('\n')}`);
}
