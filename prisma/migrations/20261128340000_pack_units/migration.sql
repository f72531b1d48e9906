-- Why: a charge has legs. A grant may be in a pack unit, which burns at the weights of its burn table; a request whose pack is nearly
-- empty is paid by its remainder and by money for the rest, and its usage row says what each unit paid.
-- Locks: a moment's ACCESS EXCLUSIVE on usage and on rating_adjustment, for columns without default; on
-- usage_limit, a table of few rows, while its constraint is checked. The new tables are referenced by nothing yet.
-- Two releases: v0.2.0 writes and reads no `portions`; the columns unit, hold, rated and charge stay what they are to it, the part in the
-- currency of the price. Grants in a pack unit are issued once no process of v0.2.0 runs.

-- ── Pack units ─────────────────────────────────────────────────────────────────────────────────────────────────
-- A unit that is no currency: what a token package is counted in. How its charge lines are rounded is declared once and never changed,
-- since every row that was ever charged in it is rated again by it.
CREATE TABLE pack_unit (
  unit       text PRIMARY KEY CHECK (unit ~ '^[a-z][a-z0-9-]{1,62}$'),
  decimals   smallint NOT NULL DEFAULT 12 CHECK (decimals BETWEEN 0 AND 12),
  rounding   text NOT NULL DEFAULT 'half_even' CHECK (rounding IN ('half_even', 'half_up', 'up', 'down')),
  created_at timestamptz NOT NULL DEFAULT kt_now()
);

-- What a token costs in a pack unit from a moment on: of one model, or of every model that has no table of its own. Published once.
CREATE TABLE burn_table (
  id           uuid PRIMARY KEY,
  unit         text NOT NULL REFERENCES pack_unit (unit),
  model_id     text REFERENCES model (id),
  effective_at timestamptz NOT NULL,
  published_at timestamptz NOT NULL DEFAULT kt_now(),
  UNIQUE NULLS NOT DISTINCT (unit, model_id, effective_at)
);

-- amount ÷ per is the weight of one token of the class. A null amount keeps the class out of the scope of the pack; a class without a
-- row burns as its parent does.
CREATE TABLE burn_weight (
  burn_table_id uuid NOT NULL REFERENCES burn_table (id),
  token_class   text NOT NULL,
  amount        numeric(38, 12) CHECK (amount >= 0),
  per           bigint NOT NULL CHECK (per > 0),
  PRIMARY KEY (burn_table_id, token_class)
);

-- ── Usage ──────────────────────────────────────────────────────────────────────────────────────────────────────
-- What each unit paid, in burn order: [{unit, burn_table, counts, hold, rated, charge}]; burn_table is null for the currency of the
-- price. NULL: all of it stands in unit, hold, rated and charge, which otherwise are the part in that currency.
ALTER TABLE usage ADD COLUMN portions jsonb;

-- Which unit an adjustment is of. NULL in those of v0.2.0: the currency of the price.
ALTER TABLE rating_adjustment ADD COLUMN unit text;

-- ── Limits ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- A limit of money may name a pack unit: it counts the legs in that unit.
ALTER TABLE usage_limit DROP CONSTRAINT unit_of_measure;
ALTER TABLE usage_limit ADD CONSTRAINT unit_of_measure CHECK (
  CASE measure WHEN 'money' THEN unit ~ '^[A-Z]{3}$' OR unit ~ '^[a-z][a-z0-9-]{1,62}$' ELSE unit = 'count' AND amount = trunc(amount) END);
