import { uncomparedSql, vendorOnlySql } from './log-checks.js';
import type { LoadedLogs } from './log-file.store.js';
import type { Finding, LogSummary, VendorOnly } from './reconcile.js';
import { scopeParameters, scopeSql } from './scope.js';
import type { CheckOptions, Snapshot } from './snapshot.store.js';

/** What the logs say besides what is checked: what nobody billed, and what could not be compared. */
export const summarizeLogs = async (snapshot: Snapshot, logs: LoadedLogs, options: CheckOptions): Promise<LogSummary> => {
  const { clientEntries, vendorEntries } = logs;
  if (vendorEntries === null) return { clientEntries, vendorEntries, tooRecent: 0, estimated: 0, vendorOnly: null };
  const s = scopeSql(options.scope, snapshot);
  const { rows } = await snapshot.db.query<{ tooRecent: number; estimated: number }>(`WITH ${scopeParameters}, ${uncomparedSql(s)}`, [...s.values]);
  return { clientEntries, vendorEntries, ...rows[0]!, vendorOnly: await findVendorOnly(snapshot, options) };
};

const findVendorOnly = async (snapshot: Snapshot, { scope, findingsMax }: CheckOptions): Promise<VendorOnly> => {
  const s = scopeSql(scope, snapshot);
  const { rows } = await snapshot.db.query<Omit<VendorOnly, 'first'> & { first: Finding[] }>(
    `WITH ${scopeParameters}, lost AS (SELECT *, count(*) OVER (ROWS UNBOUNDED PRECEDING) AS number FROM (${vendorOnlySql(s)}) found)
     SELECT count(*)::float8 AS entries, coalesce(sum(prompt_tokens), 0)::text AS "promptTokens", coalesce(sum(tokens), 0)::text AS "outputTokens",
       coalesce(json_agg(json_build_object('organizationId', organization_id, 'place', place, 'expected', expected, 'found', found)) FILTER (WHERE number <= ${findingsMax}), '[]') AS first
     FROM lost`,
    [...s.values],
  );
  return rows[0]!;
};
