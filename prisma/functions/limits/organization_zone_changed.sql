-- Trigger: moves the running calendar windows to the organization's new time zone. Their counts belong to the new zone's running window
-- and end with it. Gateways learn of the change and of the new end with their next poll and exchange; until then they use slices whose
-- end they believe to be later. Where the new window ends in the next minute, the counts therefore go to the one after it, so that a
-- gateway that learns late cannot exceed a limit. A window that is over and begins with the new one shares the new one's row, so its end
-- moves too.
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
