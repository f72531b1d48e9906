-- Trigger: an organization below another one belongs to its parent's account tree, at most 8 levels deep (KT052). Its place in the tree
-- is final, since usage rows name the tree's root and counters count by it.
CREATE OR REPLACE FUNCTION organization_tree() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_root uuid;
  v_levels integer;
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN
    RAISE EXCEPTION 'organization % keeps its place in the account tree', NEW.id USING ERRCODE = 'KT052';
  END IF;
  IF NEW.parent_id IS NULL THEN RETURN NEW; END IF;
  WITH RECURSIVE above AS (
    SELECT o.parent_id, o.account_root_id, 1 AS level FROM organization o WHERE o.id = NEW.parent_id AND o.kind = 'customer'
    UNION ALL SELECT o.parent_id, above.account_root_id, above.level + 1 FROM above JOIN organization o ON o.id = above.parent_id WHERE above.level < 9)
  SELECT min(account_root_id::text)::uuid, max(level) INTO v_root, v_levels FROM above;
  IF v_root IS NULL OR v_levels >= 8 THEN
    RAISE EXCEPTION 'organization % cannot stand below %', NEW.id, NEW.parent_id USING ERRCODE = 'KT052';
  END IF;
  NEW.account_root_id := v_root;
  RETURN NEW;
END $$;

ALTER FUNCTION organization_tree OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION organization_tree FROM PUBLIC;

CREATE TRIGGER organization_tree BEFORE INSERT OR UPDATE OF parent_id, account_root_id ON organization FOR EACH ROW EXECUTE FUNCTION organization_tree();
