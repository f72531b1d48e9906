/**
 * I10 and I4 from outside: what clients got, what vendors served and what usage rows bill, request by request. The logs are tables
 * of the snapshot's connection (`log-file.store.ts`). Pure.
 */
import { exact, lineCharge, tokensOfSide } from './arithmetic.js';
import type { Check } from './reconcile.js';
import type { ScopeSql } from './scope.js';

/** A vendor writes its line when a request has ended, a little after the gateway has settled it. */
const logDelaySeconds = 10;

const LINE = "jsonb_build_object('file', e.file, 'line', e.line, 'request', e.request_id)";
const TOKENS = `${tokensOfSide('input')} AS prompt, ${tokensOfSide('output')} AS completion`;

/** Usage rows of requests that a client's log names, whoever's they are. */
const CLIENT_USAGE = (s: ScopeSql): string => `
  named AS (SELECT e.* FROM client_log e WHERE e.request_id IS NOT NULL${s.ids('e.request_id')}),
  billed AS (
    SELECT u.organization_id, u.id, u.attempt, u.outcome, u.charge, u.unit, ${TOKENS} FROM usage u
    WHERE u.id IN (SELECT n.request_id FROM named n) AND u.id >= (SELECT n.request_id FROM named n ORDER BY 1 LIMIT 1)
      AND u.id <= (SELECT n.request_id FROM named n ORDER BY 1 DESC LIMIT 1))`;

/** Rows of the period with the vendor's line that served them: by the response's id, or by the request's where none was read. */
const SERVED_USAGE = (s: ScopeSql): string => `
  row AS (
    SELECT u.organization_id, u.id, u.attempt, u.outcome, u.estimated, u.charge, u.hold, u.unit, u.price_version_id, u.upstream_id, u.settled_at, u.counts FROM usage u
    WHERE (u.charge > 0 OR u.outcome = 'completed')${s.usage('u')}),
  by_request AS (SELECT DISTINCT ON (e.request_id) e.* FROM vendor_log e WHERE e.request_id IS NOT NULL ORDER BY e.request_id, e.complete DESC, e.tokens DESC),
  served AS (
    SELECT u.*, ${TOKENS}, e.file, e.line, e.prompt_tokens, e.tokens, e.told_prompt, e.told_completion
    FROM row u LEFT JOIN vendor_log e ON e.id = u.upstream_id WHERE u.upstream_id IS NOT NULL
    UNION ALL
    SELECT u.*, ${TOKENS}, e.file, e.line, e.prompt_tokens, e.tokens, e.told_prompt, e.told_completion
    FROM row u LEFT JOIN by_request e ON e.request_id = u.id WHERE u.upstream_id IS NULL)`;

const IS_RECENT = `u.settled_at > $10 - interval '${logDelaySeconds} s'`;

export const clientLogChecks: readonly Check[] = [
  {
    name: 'client-completed',
    invariant: 'I4',
    says: 'each complete answer is billed with the counts and the charge that the client was told',
    subjects: 'completed answers in the client’s log',
    expected: 'as told to the client',
    found: 'its usage row',
    advice: 'An answer was delivered unbilled, or its row was changed or deleted. Look for the request in the gateway’s log and in a backup; bill it by hand if the customer owes it.',
    sql: (s) => `
      WITH ${CLIENT_USAGE(s)}
      SELECT b.organization_id, ${LINE} AS place,
        concat_ws(', ', coalesce(e.prompt_tokens || ' + ' || e.completion_tokens || ' tokens', 'tokens unsaid'), coalesce(${exact('coalesce(e.charge, e.cost, t.amount)')}, e.cost_number::text, 'charge unsaid')) AS expected,
        CASE WHEN b.id IS NULL THEN 'no completed usage row' ELSE format('%s + %s tokens, %s', b.prompt, b.completion, ${exact('b.charge')}) END AS found,
        b.id IS NULL OR coalesce(e.prompt_tokens, b.prompt) <> b.prompt OR coalesce(e.completion_tokens, b.completion) <> b.completion
          OR coalesce(e.cost, b.charge) <> b.charge OR coalesce(e.charge, b.charge) <> b.charge
          OR coalesce(t.amount, b.charge) <> b.charge OR coalesce(t.others, 0) <> 0
          -- A double is compared as the double that is nearest to the charge.
          OR coalesce(e.cost_number, b.charge::float8) <> b.charge::float8 AS is_wrong
      FROM named e LEFT JOIN billed b ON b.id = e.request_id AND b.outcome = 'completed'
      LEFT JOIN LATERAL (
        SELECT coalesce(sum(c.amount) FILTER (WHERE c.unit = b.unit), 0) AS amount, coalesce(sum(c.amount) FILTER (WHERE c.unit <> b.unit), 0) AS others
        FROM jsonb_to_recordset(e.charges) AS c (unit text, amount numeric)) t ON e.charges IS NOT NULL
      WHERE e.completed${s.organization('coalesce(b.organization_id, $1)')}`,
  },
  {
    name: 'client-refused',
    invariant: 'I6',
    says: 'refused requests are not charged',
    subjects: 'refusals in the client’s log',
    expected: 'no charge',
    found: 'the charge',
    advice: 'The customer paid for an error. Give the charge back with an adjustment of the grant.',
    // settlement_failed says that nobody knew then whether the bill was written.
    sql: (s) => `
      WITH ${CLIENT_USAGE(s)}
      SELECT b.organization_id, ${LINE} AS place, '0' AS expected, ${exact('coalesce(b.charge, 0)')} AS found, coalesce(b.charge, 0) > 0 AS is_wrong
      FROM named e LEFT JOIN billed b ON b.id = e.request_id AND b.charge > 0
      WHERE NOT e.completed AND NOT e.aborted AND e.status >= 400 AND e.error_code IS DISTINCT FROM 'settlement_failed'${s.organization('coalesce(b.organization_id, $1)')}`,
  },
];

export const vendorLogChecks: readonly Check[] = [
  {
    name: 'vendor-served',
    invariant: 'I10',
    says: 'each billed answer was served by a vendor: with equal counts if complete, with no more than it sent if interrupted',
    subjects: 'billed usage rows',
    expected: 'by the vendor’s log',
    found: 'billed by the row',
    advice: 'If the vendor’s log is complete, the customer was billed for an answer that nobody served. Give the charge back with an adjustment, and look for the request in the gateway’s log.',
    sql: (s) => `
      WITH ${SERVED_USAGE(s)}
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'upstream', u.upstream_id, 'line', u.line) AS place,
        CASE WHEN u.line IS NULL THEN 'a line for it' WHEN d.is_told THEN format('%s + %s tokens', u.told_prompt, u.told_completion)
          ELSE format('at most %s + %s tokens', u.prompt_tokens, u.tokens) END AS expected,
        format('%s + %s tokens, %s, %s', u.prompt, u.completion, u.outcome, ${exact('u.charge')}) AS found,
        CASE WHEN u.line IS NULL THEN true WHEN d.is_told THEN u.prompt <> u.told_prompt OR u.completion <> u.told_completion
          -- Estimated counts are a tokenizer's, and no vendor's.
          WHEN u.estimated THEN false ELSE u.completion > u.tokens OR u.prompt > u.prompt_tokens END AS is_wrong
      FROM served u CROSS JOIN LATERAL (SELECT u.outcome = 'completed' AND NOT u.estimated AND u.told_prompt IS NOT NULL AS is_told) d
      WHERE u.line IS NOT NULL OR NOT (${IS_RECENT})`,
  },
];

/** Answers of vendors that no usage row, and no request that still runs, knows of: our cost. A row for each. */
export const vendorOnlySql = (s: ScopeSql): string => `
  SELECT NULL::uuid AS organization_id, jsonb_build_object('file', e.file, 'line', e.line, 'upstream', e.id, 'request', e.request_id) AS place,
    'a usage row' AS expected, format('%s + %s tokens', e.prompt_tokens, e.tokens) AS found, e.prompt_tokens, e.tokens
  FROM vendor_log e
  LEFT JOIN usage named ON named.upstream_id = e.id
  LEFT JOIN usage unnamed ON unnamed.id = e.request_id AND unnamed.upstream_id IS NULL
  LEFT JOIN open_request o ON o.id = e.request_id
  WHERE e.status = 200 AND (e.complete OR e.tokens > 0) AND named.id IS NULL AND unnamed.id IS NULL AND o.id IS NULL${s.ids('e.request_id')}`;

/** Of the rows that `vendor-served` looks at: those that are too recent to have a line, and those with estimated counts. Follows WITH. */
export const uncomparedSql = (s: ScopeSql): string => `${SERVED_USAGE(s)}
  SELECT count(*) FILTER (WHERE u.line IS NULL AND ${IS_RECENT})::float8 AS "tooRecent", count(*) FILTER (WHERE u.line IS NOT NULL AND u.estimated)::float8 AS estimated FROM served u`;

/**
 * Rows with estimated counts beside what the vendor counted: what it told, or what it sent where it told nothing. `over` is the
 * charge above what the vendor's counts cost at the row's price and hold, below zero where the customer paid too little; no
 * classes are known of the vendor's counts, so they are plain input and output.
 */
export const estimatesSql = (s: ScopeSql): string => {
  const rate = (tokenClass: 'input' | 'output'): string =>
    `LEFT JOIN rate ${tokenClass} ON ${tokenClass}.price_version_id = u.price_version_id AND ${tokenClass}.token_class = '${tokenClass}'`;
  const due = `least(u.hold, ${lineCharge('v.prompt', 'input.amount', 'input.per::numeric')} + ${lineCharge('v.completion', 'output.amount', 'output.per::numeric')})`;
  return `${SERVED_USAGE(s)}
  SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'upstream', u.upstream_id, 'line', u.line, 'outcome', u.outcome) AS place,
    format('%s + %s tokens, %s', v.prompt, v.completion, coalesce(${exact(due)}, 'no price')) AS expected,
    format('%s + %s tokens, %s', u.prompt, u.completion, ${exact('u.charge')}) AS found,
    u.unit, u.prompt - v.prompt AS prompt, u.completion - v.completion AS completion, coalesce(u.charge - ${due}, 0) AS over
  FROM served u CROSS JOIN LATERAL (SELECT coalesce(u.told_prompt, u.prompt_tokens) AS prompt, coalesce(u.told_completion, u.tokens) AS completion) v
  ${rate('input')} ${rate('output')}
  WHERE u.estimated AND u.line IS NOT NULL`;
};
