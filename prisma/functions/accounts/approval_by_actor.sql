-- Trigger: the transaction's actor (`control_actor`) is the one who asks for an approval, or who decides on it. An approval is decided
-- once. An expired approval can only be cancelled. A token's maker counts as the asker of the token's approvals.
-- Errors: KT060 it is decided already; KT061 it names another than the actor, or begins decided; KT062 it has expired; KT065 the actor
-- made the token that asked.
CREATE OR REPLACE FUNCTION approval_by_actor() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_actor jsonb := control_actor();
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.decision IS NOT NULL OR (NEW.requested_by_kind, NEW.requested_by_id) IS DISTINCT FROM (v_actor ->> 'kind', v_actor ->> 'id') THEN
      RAISE EXCEPTION 'an approval is asked for by its actor, and begins undecided' USING ERRCODE = 'KT061';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.decision IS NOT NULL THEN RAISE EXCEPTION 'approval % was decided', OLD.id USING ERRCODE = 'KT060'; END IF;
  IF (NEW.decided_by_kind, NEW.decided_by_id) IS DISTINCT FROM (v_actor ->> 'kind', v_actor ->> 'id') THEN
    RAISE EXCEPTION 'an approval is decided by its actor' USING ERRCODE = 'KT061';
  END IF;
  IF NEW.decision <> 'cancelled' AND OLD.expires_at <= kt_now() THEN RAISE EXCEPTION 'approval % has expired', OLD.id USING ERRCODE = 'KT062'; END IF;
  IF NEW.decision = 'approved' AND OLD.requested_by_kind = 'token'
    AND EXISTS (SELECT FROM service_token t WHERE t.id::text = OLD.requested_by_id AND t.created_by::text = v_actor ->> 'id') THEN
    RAISE EXCEPTION 'approval % was asked for by a token of its actor', OLD.id USING ERRCODE = 'KT065';
  END IF;
  RETURN NEW;
END $$;

ALTER FUNCTION approval_by_actor OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION approval_by_actor FROM PUBLIC;

CREATE TRIGGER approval_by_actor BEFORE INSERT OR UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION approval_by_actor();
