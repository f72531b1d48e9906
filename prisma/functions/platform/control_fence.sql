-- Begins each function by which the control plane changes rows beyond its rights. Refuses a change without an actor (KT040), and a change
-- of another organization than the transaction names (KT042). p_organization null: rows of all organizations, which an operator's session
-- may change. The owner's login is bound to no organization and may leave it unnamed.
CREATE OR REPLACE FUNCTION control_fence(p_organization uuid) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_named uuid := current_organization(); v_bound boolean;
BEGIN
  PERFORM control_actor();
  SELECT EXISTS (SELECT FROM pg_auth_members WHERE member = session_user::regrole
    AND roleid IN ('kilotoken_control'::regrole, 'kilotoken_api'::regrole)) INTO v_bound;
  IF p_organization IS NULL THEN
    IF v_bound AND NOT sees_all_organizations() THEN
      RAISE EXCEPTION 'the session is not an operator''s' USING ERRCODE = 'KT042';
    END IF;
  ELSIF p_organization IS DISTINCT FROM v_named AND (v_bound OR v_named IS NOT NULL) THEN
    RAISE EXCEPTION 'the transaction names organization %, not %', coalesce(v_named::text, 'none'), p_organization USING ERRCODE = 'KT042';
  END IF;
END $$;

REVOKE ALL ON FUNCTION control_fence FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control_fence TO kilotoken_definer;
