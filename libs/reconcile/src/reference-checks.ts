/** I8: what a row names exists and is of its own organization. The database's keys say so too; these look at the rows themselves. Pure. */
import type { Check } from './reconcile.js';

interface Reference {
  readonly table: string;
  readonly columns: readonly string[];
  readonly to: string;
  readonly toColumns: readonly string[];
}

const reference = (table: string, columns: string, to: string, toColumns: string): Reference => ({ table, columns: columns.split(' '), to, toColumns: toColumns.split(' ') });

/** Every foreign key between tables that proofs read: a spec holds the list against the database. */
export const references: readonly Reference[] = [
  reference('lane', 'model_id', 'model', 'id'),
  reference('lane_cost', 'lane_id', 'lane', 'id'),
  reference('price_version', 'price_book_id', 'price_book', 'id'),
  reference('price_version', 'model_id', 'model', 'id'),
  reference('rate', 'price_version_id', 'price_version', 'id'),
  reference('burn_table', 'unit', 'pack_unit', 'unit'),
  reference('burn_table', 'model_id', 'model', 'id'),
  reference('burn_weight', 'burn_table_id', 'burn_table', 'id'),
  reference('organization', 'price_book_id', 'price_book', 'id'),
  reference('organization', 'parent_id', 'organization', 'id'),
  reference('organization_price_book', 'organization_id', 'organization', 'id'),
  reference('organization_price_book', 'price_book_id', 'price_book', 'id'),
  reference('project', 'organization_id', 'organization', 'id'),
  reference('api_key', 'organization_id', 'organization', 'id'),
  reference('api_key', 'organization_id project_id', 'project', 'organization_id id'),
  reference('credit_grant', 'organization_id', 'organization', 'id'),
  reference('credit_grant', 'source counter_account', 'grant_counter_account', 'source account'),
  reference('grant_counter_account', 'account', 'ledger_account', 'name'),
  reference('ledger_rule', 'account', 'ledger_account', 'name'),
  reference('ledger_posting', 'account', 'ledger_account', 'name'),
  reference('grant_refund', 'counter_account', 'ledger_account', 'name'),
  reference('grant_adjustment', 'counter_account', 'ledger_account', 'name'),
  reference('grant_transfer', 'organization_id grant_id', 'credit_grant', 'organization_id id'),
  reference('grant_refund', 'organization_id grant_id', 'credit_grant', 'organization_id id'),
  reference('grant_adjustment', 'organization_id grant_id', 'credit_grant', 'organization_id id'),
  reference('lease', 'session_id', 'session', 'id'),
  reference('lease', 'organization_id grant_id', 'credit_grant', 'organization_id id'),
  reference('open_request', 'session_id', 'session', 'id'),
  reference('session_heartbeat', 'session_id', 'session', 'id'),
  reference('ledger_posting', 'organization_id transaction_id', 'ledger_transaction', 'organization_id id'),
  reference('usage_limit', 'organization_id', 'organization', 'id'),
  reference('limit_counter', 'organization_id limit_id', 'usage_limit', 'organization_id id'),
  reference('limit_slice', 'session_id', 'session', 'id'),
  reference('limit_slice', 'organization_id limit_id subject window_start_ms', 'limit_counter', 'organization_id limit_id subject window_start_ms'),
  reference('idempotency_claim', 'session_id', 'session', 'id'),
  reference('idempotency_claim', 'organization_id', 'organization', 'id'),
  reference('outbox_job', 'organization_id event_id', 'outbox_event', 'organization_id id'),
  reference('usage_archive_total', 'partition', 'usage_archive', 'partition'),
];

const ofTenant = new Set(['project', 'api_key', 'credit_grant', 'grant_refund', 'grant_adjustment', 'grant_transfer', 'lease', 'open_request', 'ledger_posting', 'usage_limit', 'limit_counter', 'limit_slice', 'idempotency_claim',
  'outbox_job', 'usage_archive_total', 'organization_price_book']);

export const referenceChecks: readonly Check[] = [
  {
    name: 'references', invariant: 'I8',
    says: 'each row that a row names exists, in its own organization',
    subjects: 'foreign keys',
    expected: 'a row',
    found: 'rows that name a missing one',
    advice: 'A row was deleted or made without its foreign key being checked. Restore the missing row from a backup, or remove the rows that name it.',
    sql: (s) =>
      references
        .filter(({ table }) => ofTenant.has(table) || s.organization('x') === '')
        .map(({ table, columns, to, toColumns }) => {
          const named = columns.map((column) => `'${column}', r.${column}`).join(', ');
          const organization = ofTenant.has(table) ? 'r.organization_id' : 'NULL::uuid';
          return `(SELECT ${organization} AS organization_id, jsonb_build_object('table', '${table}', 'of', '${to}', ${named}) AS place, 'one' AS expected, 'none' AS found, true AS is_wrong
            FROM ${table} r WHERE ${columns.map((column) => `r.${column} IS NOT NULL`).join(' AND ')}${ofTenant.has(table) ? s.organization('r.organization_id') : ''}
              AND NOT EXISTS (SELECT FROM ${to} t WHERE ${columns.map((column, index) => `t.${toColumns[index]} = r.${column}`).join(' AND ')}))
          UNION ALL SELECT NULL, '{}', NULL, NULL, false`;
        })
        .join('\nUNION ALL ') ,
  },
  {
    name: 'usage-account', invariant: 'I8',
    says: 'a usage row names an organization, its account tree, one of its keys, that key’s project, and the shard of the tree',
    subjects: 'usage rows',
    expected: 'by the organization and the key',
    found: 'by the row',
    advice: 'The row was moved to another account, or the account was changed. Compare both with a backup.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'key', u.api_key_id) AS place,
        format('tree %s, project %s, shard %s', coalesce(o.account_root_id::text, 'none'), coalesce(k.project_id::text, 'none'), get_byte(uuid_send(u.account_root_id), 15) % 16) AS expected,
        format('tree %s, project %s, shard %s', u.account_root_id, u.project_id, u.shard) AS found,
        o.account_root_id IS DISTINCT FROM u.account_root_id OR k.project_id IS DISTINCT FROM u.project_id OR get_byte(uuid_send(u.account_root_id), 15) % 16 <> u.shard AS is_wrong
      FROM usage u LEFT JOIN organization o ON o.id = u.organization_id LEFT JOIN api_key k ON k.organization_id = u.organization_id AND k.id = u.api_key_id WHERE true${s.usage('u')}`,
  },
  {
    name: 'usage-lane', invariant: 'I8',
    says: 'a usage row names a lane of its model and an existing session',
    subjects: 'usage rows',
    expected: 'a lane of the model; a session',
    found: 'the lane’s model; the session',
    advice: 'The row names a wrong lane or a missing session: it was changed or forged, or the lane was deleted. Compare both with a backup.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'lane', u.lane_id, 'session', u.session_id) AS place, u.model || '; one' AS expected,
        format('%s; %s', CASE WHEN u.lane_id IS NULL THEN 'no lane' ELSE coalesce(l.model_id, 'no such lane') END, coalesce(n.id::text, 'no such session')) AS found,
        n.id IS NULL OR (u.lane_id IS NOT NULL AND l.model_id IS DISTINCT FROM u.model) AS is_wrong
      FROM usage u LEFT JOIN lane l ON l.id = u.lane_id LEFT JOIN session n ON n.id = u.session_id WHERE true${s.usage('u')}`,
  },
];
