/** I7: a row pins the price that its organization had when it was admitted, and its lane's cost is that of the lane as it was then. Pure. */
import { exact, laneCostAgain } from './arithmetic.js';
import type { Check } from './reconcile.js';

/** Gateways go by catalogues that are a second old at most, and by clocks that differ a little. */
const aroundSeconds = 5;

/** When a request was admitted: between the moment in its id and the one in its row. */
const MOMENTS = `CROSS JOIN LATERAL (
    SELECT least(u.admitted_at, d.minted) - interval '${aroundSeconds} s' AS earliest, greatest(u.admitted_at, d.minted) + interval '${aroundSeconds} s' AS latest
    FROM (SELECT to_timestamp(('x' || left(replace(u.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AS minted) d) m`;

export const priceChecks: readonly Check[] = [
  {
    name: 'price-in-force', invariant: 'I7',
    says: 'a row pins the price version that was in force, in the price book of its organization, when it was admitted',
    subjects: 'usage rows',
    expected: 'a version of its book, in force when it was admitted',
    found: 'the book of its version; its start; its end',
    advice: 'The row has a price that its customer does not have. Compare it with the organization’s price book, and correct the charge with an adjustment.',
    sql: (s) => `
      WITH book AS MATERIALIZED (
        SELECT o.organization_id, o.price_book_id, CASE WHEN lag(o.since) OVER own IS NULL THEN '-infinity' ELSE o.since END AS since, coalesce(lead(o.since) OVER own, 'infinity') AS until
        FROM organization_price_book o WHERE true${s.organization('o.organization_id')} WINDOW own AS (PARTITION BY o.organization_id ORDER BY o.since)),
      version AS MATERIALIZED (
        -- A version that was published after it took effect holds from then on.
        SELECT v.*, lead(greatest(v.effective_at, v.published_at)) OVER (PARTITION BY v.price_book_id, v.model_id ORDER BY v.effective_at) AS until FROM price_version v)
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'price_version', u.price_version_id) AS place,
        format('%s at %s', coalesce((SELECT string_agg(o.price_book_id::text, ' or ') FROM book o WHERE o.organization_id = u.organization_id AND o.since <= m.latest AND o.until > m.earliest), 'no book'), u.admitted_at) AS expected,
        format('%s; %s; %s', coalesce(v.price_book_id::text, 'none'), v.effective_at, v.until) AS found,
        v.id IS NULL OR v.effective_at > m.latest OR v.published_at > m.latest OR coalesce(v.until <= m.earliest, false)
          OR NOT EXISTS (SELECT FROM book o WHERE o.organization_id = u.organization_id AND o.price_book_id = v.price_book_id AND o.since <= m.latest AND o.until > m.earliest) AS is_wrong
      FROM usage u ${MOMENTS} LEFT JOIN version v ON v.id = u.price_version_id WHERE true${s.usage('u')}`,
  },
  {
    name: 'price-book', invariant: 'I7',
    says: 'an organization’s price book is the last one of its history',
    subjects: 'organizations',
    expected: 'by its history',
    found: 'by the organization',
    advice: 'The price book was changed without the history, so this customer does not pay the agreed prices. Compare both with a backup.',
    sql: (s) => `
      SELECT o.id AS organization_id, jsonb_build_object('price_book', o.price_book_id) AS place, h.price_book_id::text AS expected, o.price_book_id::text AS found, h.price_book_id IS DISTINCT FROM o.price_book_id AS is_wrong
      FROM organization o LEFT JOIN LATERAL (SELECT x.price_book_id FROM organization_price_book x WHERE x.organization_id = o.id ORDER BY x.since DESC LIMIT 1) h ON true WHERE true${s.organization('o.id')}`,
  },
  {
    name: 'lane-cost', invariant: 'I7',
    says: 'a row’s vendor cost is its counts at the cost of its lane at admission',
    subjects: 'usage rows of lanes whose cost is known',
    expected: 'counts at the lane’s cost',
    found: 'the row’s cost',
    advice: 'The row’s cost, its lane or the lane’s history was changed, so our debt to the vendor is wrong by the difference. Compare all three with a backup.',
    // A row of a time before its lane's history began is left out: what the lane cost then is not known.
    sql: (s) => `
      WITH cost AS MATERIALIZED (
        SELECT c.*, coalesce(lead(c.since) OVER (PARTITION BY c.lane_id ORDER BY c.since), 'infinity') AS until, min(c.since) OVER (PARTITION BY c.lane_id) AS known_from FROM lane_cost c)
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'lane', u.lane_id) AS place, coalesce(d.due, 'no such lane') AS expected, concat_ws(' ', ${exact('u.cost')}, u.cost_currency) AS found,
        NOT coalesce(d.is_right, false) AS is_wrong
      FROM usage u ${MOMENTS} CROSS JOIN LATERAL (
        SELECT string_agg(concat_ws(' ', ${exact('r.cost')}, c.currency), ' or ') AS due, bool_or(least(r.cost, 1000000000000) = u.cost AND left(c.currency, 16) = u.cost_currency) AS is_right
        FROM cost c ${laneCostAgain('u.counts')} WHERE c.lane_id = u.lane_id AND c.since <= m.latest AND c.until > m.earliest) d
      WHERE u.lane_id IS NOT NULL AND NOT EXISTS (SELECT FROM cost c WHERE c.lane_id = u.lane_id AND c.known_from > m.latest)${s.usage('u')}`,
  },
  {
    name: 'lane-history', invariant: 'I7',
    says: 'a lane’s cost is the last one of its history',
    subjects: 'lanes',
    expected: 'by its history',
    found: 'by the lane',
    advice: 'The lane’s cost or its history was changed without the other. Compare both with the vendor’s price list and a backup.',
    wholeDatabaseOnly: true,
    sql: () => `
      SELECT NULL::uuid AS organization_id, jsonb_build_object('lane', l.id, 'model', l.model_id) AS place, format('%s %s/%s', c.currency, c.rates, c.per) AS expected, format('%s %s/%s', l.cost_currency, l.cost_rates, l.cost_per) AS found,
        (c.currency, c.per, c.rates) IS DISTINCT FROM (l.cost_currency, l.cost_per, l.cost_rates) AS is_wrong
      FROM lane l LEFT JOIN LATERAL (SELECT x.* FROM lane_cost x WHERE x.lane_id = l.id ORDER BY x.since DESC LIMIT 1) c ON true`,
  },
];
