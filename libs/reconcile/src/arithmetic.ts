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
export const numeric = (text: string): string => `CASE WHEN pg_input_is_valid(${text}, 'numeric') THEN (${text})::numeric END`;
const uuid = (text: string): string => `CASE WHEN pg_input_is_valid(${text}, 'uuid') THEN (${text})::uuid END`;

/** Every share of a lease that the usage rows of `u` took: `a (grant_id, lease_id, unit, amount)`, NULL for what is unreadable. */
export const allocationsOfUsage = `CROSS JOIN LATERAL (
    SELECT ${uuid("e ->> 'grant'")} AS grant_id, ${uuid("e ->> 'lease'")} AS lease_id, coalesce(e ->> 'unit', u.unit) AS unit, ${numeric("e ->> 'amount'")} AS amount
    FROM jsonb_array_elements(CASE jsonb_typeof(u.allocations) WHEN 'array' THEN u.allocations ELSE '[null]' END) AS e) AS a`;

/** Which class a class without a rate of its own is priced as. */
const parents = `(VALUES ('input', 'input'), ('cached_read', 'input'), ('cache_write_5m', 'input'), ('cache_write_1h', 'input'), ('audio_in', 'input'),
    ('image_in', 'input'), ('output', 'output'), ('reasoning', 'output'), ('audio_out', 'output'), ('image_out', 'output'))`;

/** Counts by class: `c (token_class, count, parent_class)`, where count is NULL for what is no number. */
const countsOf = (counts: string): string => `(
    SELECT e.key AS token_class, ${numeric('e.value')} AS count, p.parent_class
    FROM jsonb_each_text(CASE jsonb_typeof(${counts}) WHEN 'object' THEN ${counts} ELSE '{"(no counts)": null}' END) AS e
    LEFT JOIN ${parents} AS p (token_class, parent_class) ON p.token_class = e.key) AS c`;

/** The list of portions of `u`: empty for what is no list. */
const portionList = "CASE jsonb_typeof(u.portions) WHEN 'array' THEN u.portions ELSE '[]' END";

/** An object of counts: empty for what is none. */
export const countsObject = (counts: string): string => `CASE jsonb_typeof(${counts}) WHEN 'object' THEN ${counts} ELSE '{}' END`;

/** Classes in the order in which a request's lines are paid. */
const classOrder = `ARRAY['input', 'cached_read', 'cache_write_5m', 'cache_write_1h', 'audio_in', 'image_in', 'output', 'reasoning', 'audio_out', 'image_out']`;

/**
 * The portions of `u`: `m (unit, burn_table, counts, hold, rated, charge, place, is_last)`, one for each stretch of the burn order in a unit,
 * and one of all where the row has none. NULL for what is unreadable.
 */
export const portionsOfUsage = `CROSS JOIN LATERAL (
    SELECT u.unit, NULL::uuid AS burn_table, u.counts, u.hold, u.rated, u.charge, 1 AS place, true AS is_last WHERE u.portions IS NULL
    UNION ALL
    SELECT p ->> 'unit', ${uuid("p ->> 'burn_table'")}, p -> 'counts', ${numeric("p ->> 'hold'")}, ${numeric("p ->> 'rated'")}, ${numeric("p ->> 'charge'")},
      n::integer, n = jsonb_array_length(${portionList})
    FROM jsonb_array_elements(${portionList}) WITH ORDINALITY AS o (p, n)) AS m`;

/** The rate of a class in portion `m`: `rate (amount, per, decimals, rounding)`. A rate whose amount is null is "no price", and does not fall back to its parent's. */
const rateOf = (tokenClass: string, parentClass: string): string => `LATERAL (
      SELECT y.amount, y.per, y.decimals, y.rounding FROM (
        SELECT x.token_class, x.amount, x.per::numeric AS per, 12 AS decimals, 'half_even' AS rounding FROM rate x
        WHERE m.burn_table IS NULL AND x.price_version_id = u.price_version_id AND x.token_class IN (${tokenClass}, ${parentClass})
        UNION ALL
        SELECT x.token_class, x.amount, x.per::numeric, k.decimals, k.rounding FROM burn_table b JOIN pack_unit k ON k.unit = b.unit JOIN burn_weight x ON x.burn_table_id = b.id
        WHERE b.id = m.burn_table AND b.unit = m.unit AND x.token_class IN (${tokenClass}, ${parentClass})) y
      ORDER BY y.token_class = ${tokenClass} DESC LIMIT 1) AS rate`;

/** count × amount ÷ per at `rate`, rounded once as its unit declares. */
const lineAt = (count: string): string => {
  const [dividend, divisor] = [`(${count} * rate.amount * ('1e' || rate.decimals)::numeric)`, 'rate.per'];
  const [quotient, remainder] = [`div(${dividend}, ${divisor})`, `mod(${dividend}, ${divisor})`];
  const roundsUp = `CASE rate.rounding WHEN 'half_even' THEN 2 * ${remainder} > ${divisor} OR (2 * ${remainder} = ${divisor} AND mod(${quotient}, 2) = 1)
      WHEN 'half_up' THEN 2 * ${remainder} >= ${divisor} WHEN 'up' THEN ${remainder} > 0 ELSE false END`;
  return `((${quotient} + (${roundsUp})::integer) * ('1e-' || rate.decimals)::numeric)`;
};

/**
 * The cost of portion `m` of `u` at the price version or burn table that it pins: `r (rated, unpriced)`, where `unpriced` names the classes
 * that have no price or no count that can be.
 */
export const ratedAgain = `CROSS JOIN LATERAL (
    SELECT coalesce(sum(${lineAt('c.count')}) FILTER (WHERE rate.amount IS NOT NULL AND ${isCount('c.count')}), 0) AS rated,
      string_agg(c.token_class, ', ' ORDER BY c.token_class) FILTER (WHERE c.count IS NULL OR NOT ${isCount('c.count')} OR (c.count > 0 AND rate.amount IS NULL)) AS unpriced
    FROM ${countsOf('m.counts')}
    LEFT JOIN ${rateOf('c.token_class', 'c.parent_class')} ON true) AS r`;

/**
 * Classes of which portion `m` left tokens to a later portion though its hold would have paid for one more: `g (classes)`. Lines are paid in the
 * order of their classes, so only lines up to that class were paid before.
 */
export const leftOver = `CROSS JOIN LATERAL (
    SELECT string_agg(c.token_class, ', ' ORDER BY c.token_class) AS classes
    FROM ${countsOf(`((SELECT coalesce(jsonb_object_agg(k.key, 0), '{}') FROM jsonb_object_keys(${countsObject('u.counts')}) AS k(key)) || ${countsObject('m.counts')})`)}
    JOIN ${rateOf('c.token_class', 'c.parent_class')} ON rate.amount IS NOT NULL
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(${numeric("l.p -> 'counts' ->> c.token_class")}), 0) AS later FROM jsonb_array_elements(${portionList}) WITH ORDINALITY AS l (p, n) WHERE l.n > m.place) l
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(f.line), 0) AS paid FROM (
        SELECT ${lineAt('e.count')} AS line FROM ${countsOf('m.counts').replace(/ AS c$/, ' AS e')}
        JOIN ${rateOf('e.token_class', 'e.parent_class')} ON rate.amount IS NOT NULL
        WHERE array_position(${classOrder}, e.token_class) < array_position(${classOrder}, c.token_class)) f) b
    WHERE l.later > 0 AND b.paid + ${lineAt('(c.count + 1)')} <= m.hold) AS g`;

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
