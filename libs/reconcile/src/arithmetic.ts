/** The arithmetic of the checks, as fragments of SQL. A spec holds the rounding against `libs/money`, number by number. Pure. */

/** A charge line is rounded once, to 12 decimals. Brought back by a product, which is exact: a quotient of numerics has digits enough for small amounts only. */
const [pico, decimals] = ['1000000000000', '0.000000000001'];

/**
 * dividend ÷ divisor, both not negative, rounded half to even to a whole number. Numeric's own `/` and `round` take away
 * from zero what is halfway, and `/` rounds at a scale of its own before.
 */
export const halfEven = (dividend: string, divisor: string): string => {
  const [quotient, remainder] = [`div(${dividend}, ${divisor})`, `mod(${dividend}, ${divisor})`];
  return `(${quotient} + CASE WHEN 2 * ${remainder} > ${divisor} OR (2 * ${remainder} = ${divisor} AND mod(${quotient}, 2) = 1) THEN 1 ELSE 0 END)`;
};

/** count × amount ÷ per, rounded half to even to 12 decimals. */
export const lineCharge = (count: string, amount: string, per: string): string => `(${halfEven(`(${count} * ${amount} * ${pico})`, per)} * ${decimals})`;

/** An amount as people read it. */
export const exact = (amount: string): string => `trim_scale(${amount})::text`;

/** A text that may hold anything, read as a number: NULL where it is none. A damaged row is to be found, not to end the search. */
const numeric = (text: string): string => `CASE WHEN pg_input_is_valid(${text}, 'numeric') THEN (${text})::numeric END`;
const uuid = (text: string): string => `CASE WHEN pg_input_is_valid(${text}, 'uuid') THEN (${text})::uuid END`;

/** Every share of a lease that the usage rows of `u` took: `a (grant_id, lease_id, amount)`, NULL for what is unreadable. */
export const allocationsOfUsage = `CROSS JOIN LATERAL (
    SELECT ${uuid("e ->> 'grant'")} AS grant_id, ${uuid("e ->> 'lease'")} AS lease_id, ${numeric("e ->> 'amount'")} AS amount
    FROM jsonb_array_elements(CASE jsonb_typeof(u.allocations) WHEN 'array' THEN u.allocations ELSE '[null]' END) AS e) AS a`;

/** Which class a class without a rate of its own is priced as. */
const parents = `(VALUES ('input', 'input'), ('cached_read', 'input'), ('cache_write_5m', 'input'), ('cache_write_1h', 'input'), ('audio_in', 'input'),
    ('image_in', 'input'), ('output', 'output'), ('reasoning', 'output'), ('audio_out', 'output'), ('image_out', 'output'))`;

/** Counts by class: `c (token_class, count, parent_class)`, where count is NULL for what is no number. */
const countsOf = (counts: string): string => `(
    SELECT e.key AS token_class, ${numeric('e.value')} AS count, p.parent_class
    FROM jsonb_each_text(CASE jsonb_typeof(${counts}) WHEN 'object' THEN ${counts} ELSE '{"(no counts)": null}' END) AS e
    LEFT JOIN ${parents} AS p (token_class, parent_class) ON p.token_class = e.key) AS c`;

/**
 * What the counts of `u` cost at the price version that it pins: `r (rated, unpriced)`, where `unpriced` names the classes that
 * have no price or no count that can be. A rate whose amount is null is "no price", and does not fall back to its parent's.
 */
export const ratedAgain = `CROSS JOIN LATERAL (
    SELECT coalesce(sum(${lineCharge('c.count', 'rate.amount', 'rate.per')}) FILTER (WHERE rate.amount IS NOT NULL AND ${isCount('c.count')}), 0) AS rated,
      string_agg(c.token_class, ', ' ORDER BY c.token_class) FILTER (WHERE c.count IS NULL OR NOT ${isCount('c.count')} OR (c.count > 0 AND rate.amount IS NULL)) AS unpriced
    FROM ${countsOf('u.counts')}
    LEFT JOIN LATERAL (
      SELECT x.amount, x.per::numeric AS per FROM rate x WHERE x.price_version_id = u.price_version_id AND x.token_class IN (c.token_class, c.parent_class)
      ORDER BY x.token_class = c.token_class DESC LIMIT 1) AS rate ON true) AS r`;

/**
 * The cost of counts at the lane's cost `c (per, rates)`: `r (cost)`. A class that the lane's cost does not name costs what its parent
 * costs; one whose cost is null or unknown costs nothing that we know of.
 */
export const laneCostAgain = (counts: string): string => `CROSS JOIN LATERAL (
    SELECT coalesce(sum(${lineCharge('n.count', 'n.amount', 'c.per::numeric')}), 0) AS cost FROM (
      SELECT c2.count, coalesce(CASE WHEN c.rates ? c2.token_class THEN ${numeric('c.rates ->> c2.token_class')} ELSE ${numeric('c.rates ->> c2.parent_class')} END, 0) AS amount
      FROM ${countsOf(counts).replace(/ AS c$/, ' AS c2')} WHERE ${isCount('c2.count')}) n) AS r`;

/** Whole and from 0 to 2⁵³ − 1, beyond which a vendor's number is an error. */
function isCount(count: string): string {
  return `(${count} BETWEEN 0 AND 9007199254740991 AND mod(${count}, 1) = 0)`;
}

/** Tokens of one side of the counts of `u`, whatever their class. */
export const tokensOfSide = (side: 'input' | 'output'): string => `(SELECT coalesce(sum(c.count), 0) FROM ${countsOf('u.counts')} WHERE c.parent_class = '${side}')`;
