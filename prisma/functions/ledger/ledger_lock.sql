-- Locks grants and the heads of organizations' chains in the one order of all transactions. A transaction that posts more than once calls
-- it first, with everything that it will change, so that two such transactions never wait for each other in a circle.
CREATE OR REPLACE FUNCTION ledger_lock(p_organizations uuid[], p_grants uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF cardinality(p_grants) > 0 THEN
    PERFORM FROM credit_grant WHERE organization_id = ANY (p_organizations) AND id = ANY (p_grants) ORDER BY organization_id, id FOR UPDATE;
  END IF;
  INSERT INTO ledger_chain (organization_id, position, hash)
    SELECT o, 0, ledger_genesis() FROM unnest(p_organizations) AS o WHERE NOT EXISTS (SELECT FROM ledger_chain WHERE organization_id = o) ORDER BY o
    ON CONFLICT DO NOTHING;
  PERFORM FROM ledger_chain WHERE organization_id = ANY (p_organizations) ORDER BY organization_id FOR UPDATE;
END $$;

ALTER FUNCTION ledger_lock OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION ledger_lock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_lock TO kilotoken_control, kilotoken_api;
