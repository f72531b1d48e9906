-- Trigger: moves the calendar windows under way to the organization's new time zone. Their counts belong to the window of the new zone that
-- is under way, and end with it. Gateways hear of the change with their next poll and then exchange their slices, so they learn the new end
-- too; until then they use slices that they believe to be longer. Where the new window ends in the next minute, the counts therefore go to
-- the one after it: a limit is never exceeded on a guess of who has heard. A window that is over and begins as the new one begins has the
-- row that the new one takes from, so its end moves too.
--
-- Lock order: the organization, then its limits (the lock of limit_exchange), then counters, then the configuration's version, which a
-- trigger after the update takes.
CREATE OR REPLACE FUNCTION organization_zone_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('limits' || NEW.id::text, 0));
  v_now := kt_now() + (clock_timestamp() - now());
  UPDATE limit_counter c SET window_end_ms = w.end_ms, expires_at = 'epoch'::timestamptz + w.end_ms * interval '1 millisecond' + interval '1 day'
  FROM usage_limit l CROSS JOIN LATERAL limit_window(l, NEW.time_zone, v_now + interval '1 minute') w
  WHERE c.organization_id = NEW.id AND l.organization_id = NEW.id AND l.id = c.limit_id AND l.window_kind IN ('day', 'week', 'month')
    AND (c.window_end_ms > extract(epoch FROM v_now) * 1000 OR c.window_start_ms = w.start_ms);
  RETURN NEW;
END $$;

ALTER FUNCTION organization_zone_changed OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION organization_zone_changed FROM PUBLIC;

CREATE TRIGGER organization_zone_changed BEFORE UPDATE OF time_zone ON organization
  FOR EACH ROW WHEN (old.time_zone IS DISTINCT FROM new.time_zone) EXECUTE FUNCTION organization_zone_changed();
