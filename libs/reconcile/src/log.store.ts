import { estimatesSql, uncomparedSql, vendorOnlySql } from './log-checks.js';
import type { LoadedLogs } from './log-file.store.js';
import type { Estimates, EstimateSide, Finding, LogSummary, VendorOnly } from './reconcile.js';
import { scopeParameters, scopeSql } from './scope.js';
import type { CheckOptions, Snapshot } from './snapshot.store.js';

/** Results from the logs beside the checks: answers that nobody billed, and rows that could not be compared. */
export const summarizeLogs = async (snapshot: Snapshot, logs: LoadedLogs, options: CheckOptions): Promise<LogSummary> => {
  const { clientEntries, vendorEntries } = logs;
  if (vendorEntries === null) return { clientEntries, vendorEntries, tooRecent: 0, estimated: 0, vendorOnly: null };
  const s = scopeSql(options.scope, snapshot);
  const { rows } = await snapshot.db.query<{ tooRecent: number; estimated: number }>(`WITH ${scopeParameters}, ${uncomparedSql(s)}`, [...s.values]);
  const { tooRecent, estimated } = rows[0]!;
  const estimates = estimated > 0 ? { estimates: await compareEstimates(snapshot, options) } : {};
  return { clientEntries, vendorEntries, tooRecent, estimated, ...estimates, vendorOnly: await findVendorOnly(snapshot, options) };
};

interface EstimateSums {
  /** By unit, and by who gained: 1 where customers paid too much, −1 too little, 0 neither. */
  sides: { side: number; unit: string; rows: number; prompt: string; completion: string; over: string }[];
  first: Finding[];
}

const compareEstimates = async (snapshot: Snapshot, { scope, findingsMax }: CheckOptions): Promise<Estimates> => {
  const s = scopeSql(scope, snapshot);
  const { rows } = await snapshot.db.query<EstimateSums>(
    `WITH ${scopeParameters}, estimate AS (WITH ${estimatesSql(s)}),
     summed AS (
       SELECT sign(over) AS side, unit, count(*) AS rows, sum(prompt)::text AS prompt, sum(completion)::text AS completion, trim_scale(sum(over))::text AS over
       FROM estimate GROUP BY 1, 2),
     largest AS (SELECT * FROM estimate WHERE over <> 0 ORDER BY abs(over) DESC, place ->> 'usage' LIMIT ${findingsMax})
     SELECT coalesce((SELECT json_agg(summed ORDER BY side, unit) FROM summed), '[]') AS sides,
       coalesce((SELECT json_agg(json_build_object('organizationId', organization_id, 'place', place, 'expected', expected, 'found', found) ORDER BY abs(over) DESC, place ->> 'usage') FROM largest), '[]') AS first`,
    [...s.values],
  );
  const { sides, first } = rows[0]!;
  const sideOf = (wanted: number): EstimateSide => {
    const of = sides.filter(({ side }) => side === wanted);
    const sum = (values: readonly string[]): string => values.reduce((total, value) => total + BigInt(value), 0n).toString();
    return {
      rows: of.reduce((total, { rows: count }) => total + count, 0),
      promptTokens: sum(of.map(({ prompt }) => prompt)),
      outputTokens: sum(of.map(({ completion }) => completion)),
      money: Object.fromEntries(of.map(({ unit, over }) => [unit, over])),
    };
  };
  return { over: sideOf(1), under: sideOf(-1), equalRows: sideOf(0).rows, first };
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
