-- The actor that the transaction names in `kilotoken.actor`, {kind, id, name}. A login of the control plane or the api must name one
-- (KT040). Without one, as in a service's function or by the owner's hand, the actor is the system, under the login's name.
CREATE OR REPLACE FUNCTION control_actor() RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_actor jsonb := nullif(current_setting('kilotoken.actor', true), '')::jsonb;
BEGIN
  IF v_actor IS NULL AND EXISTS (SELECT FROM pg_auth_members WHERE member = session_user::regrole AND roleid IN ('kilotoken_api'::regrole, 'kilotoken_control'::regrole)) THEN
    RAISE EXCEPTION 'a change names no actor' USING ERRCODE = 'KT040';
  END IF;
  RETURN coalesce(v_actor, jsonb_build_object('kind', 'system', 'id', session_user));
END $$;

REVOKE ALL ON FUNCTION control_actor FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control_actor TO kilotoken_definer;
