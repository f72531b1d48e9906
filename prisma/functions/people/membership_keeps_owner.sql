-- Trigger: an organization keeps an owner, and the company an admin: the last one is neither removed nor given another role (KT051). Two such
-- changes of one organization wait for each other, and the second one counts what the first one left.
CREATE OR REPLACE FUNCTION membership_keeps_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF OLD.role NOT IN ('owner', 'admin') OR (TG_OP = 'UPDATE' AND NEW.role = OLD.role) THEN RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('membership of ' || OLD.organization_id, 0));
  IF NOT EXISTS (SELECT FROM membership m WHERE m.organization_id = OLD.organization_id AND m.role = OLD.role AND m.person_id <> OLD.person_id) THEN
    RAISE EXCEPTION 'person % is the last % of organization %', OLD.person_id, OLD.role, OLD.organization_id USING ERRCODE = 'KT051';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

ALTER FUNCTION membership_keeps_owner OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION membership_keeps_owner FROM PUBLIC;

CREATE TRIGGER membership_keeps_owner BEFORE DELETE OR UPDATE OF role ON membership FOR EACH ROW EXECUTE FUNCTION membership_keeps_owner();
