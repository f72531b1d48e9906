-- Trigger: keeps each cost of a lane with its start, so that reconcile recomputes a row's vendor cost by the lane as it was.
CREATE OR REPLACE FUNCTION lane_cost_put() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO lane_cost (lane_id, currency, per, rates) VALUES (NEW.id, NEW.cost_currency, NEW.cost_per, NEW.cost_rates)
    ON CONFLICT (lane_id, since) DO UPDATE SET currency = excluded.currency, per = excluded.per, rates = excluded.rates;
  RETURN NULL;
END $$;

ALTER FUNCTION lane_cost_put OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION lane_cost_put FROM PUBLIC;

CREATE TRIGGER lane_cost_begins AFTER INSERT ON lane FOR EACH ROW EXECUTE FUNCTION lane_cost_put();
CREATE TRIGGER lane_cost_changed AFTER UPDATE ON lane
  FOR EACH ROW WHEN (old.cost_currency IS DISTINCT FROM new.cost_currency OR old.cost_per IS DISTINCT FROM new.cost_per OR old.cost_rates IS DISTINCT FROM new.cost_rates) EXECUTE FUNCTION lane_cost_put();
