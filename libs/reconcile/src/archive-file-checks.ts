/** I5 and I2 of files of exported usage: what was read of them are tables of the snapshot's connection (`archive.store.ts`). Pure. */
import { exact } from './arithmetic.js';
import type { Check } from './reconcile.js';

/** A file that was exported anew since it was read is compared by the next run. */
const CURRENT = 'archive_file f JOIN usage_archive x ON x.partition = f.partition AND x.exported_at = f.exported_at';

export const archiveFileChecks: readonly Check[] = [
  {
    name: 'archive-files', invariant: 'I5',
    says: 'each exported file that can be reached is, byte by byte and row by row, the one that was written',
    subjects: 'files of exported usage',
    expected: 'as it was written',
    found: 'as it is',
    advice: 'The disk, or somebody, changed the file. While the partition is not dropped, export it again; else put the file back from a copy whose SHA-256 is usage_archive.file_sha256.',
    sql: () => `
      SELECT NULL::uuid AS organization_id, jsonb_build_object('partition', x.partition, 'file', f.file) || coalesce(d.place, '{}') AS place,
        coalesce(d.expected, format('%s bytes of SHA-256 %s, %s rows of digest %s', x.file_bytes, x.file_sha256, x.rows, x.digest)) AS expected,
        coalesce(d.found, format('%s bytes of SHA-256 %s, %s rows of digest %s', f.bytes, f.sha256, coalesce(f.rows::text, 'unread'), coalesce(f.digest, 'unread'))) AS found,
        d.partition IS NOT NULL OR f.sha256 IS DISTINCT FROM x.file_sha256 OR f.bytes IS DISTINCT FROM x.file_bytes OR f.rows IS DISTINCT FROM x.rows OR f.digest IS DISTINCT FROM x.digest AS is_wrong
      FROM ${CURRENT} LEFT JOIN archive_file_damage d ON d.partition = f.partition`,
  },
  {
    name: 'archive-file-totals', invariant: 'I2',
    says: 'the rows of an exported file add up to what its export kept: rows, charge, rated, cost, and what each grant and lease gave',
    subjects: 'sums of exported files',
    expected: 'as the rows of the file add up',
    found: 'as the export kept it',
    advice: 'A sum of usage_archive_total was changed, deleted or forged: the file has the rows, so put the sum right from it.',
    sql: (s) => `
      WITH whole AS (SELECT x.partition FROM ${CURRENT} WHERE f.is_summed),
      of_file AS (SELECT t.partition, t.organization_id, t.kind, t.key, sum(t.amount) AS amount FROM archive_file_total t JOIN whole w ON w.partition = t.partition WHERE true${s.organization('t.organization_id')} GROUP BY 1, 2, 3, 4),
      kept AS (SELECT t.partition, t.organization_id, t.kind, t.key, t.amount FROM usage_archive_total t JOIN whole w ON w.partition = t.partition WHERE true${s.organization('t.organization_id')})
      SELECT organization_id, jsonb_build_object('partition', partition, 'sum', kind, 'of', key) AS place, ${exact('coalesce(o.amount, 0)')} AS expected, ${exact('coalesce(k.amount, 0)')} AS found,
        coalesce(o.amount, 0) <> coalesce(k.amount, 0) AS is_wrong
      FROM of_file o FULL JOIN kept k USING (partition, organization_id, kind, key)`,
  },
];
