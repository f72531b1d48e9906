-- Appends entries to the chains of their organizations, in the name of the transaction's actor (`control_actor`). p_entries:
-- [{organization, action, object_type, object_id, before, after, ip, request_id, on_behalf_of}]; organization null is the platform.
-- Answers the number of entries.
-- Locks: the heads of the audit chains by organization, held to the transaction's end. Writers of one organization wait for each other
-- from here on, so this is a transaction's last call.
-- Errors: KT040 a login of the control plane names no actor.
CREATE OR REPLACE FUNCTION audit_append(p_entries jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_actor jsonb := control_actor(); v_head audit_chain; e record; v audit_entry; v_count integer := 0;
BEGIN
  FOR e IN
    SELECT coalesce(x.organization, platform_organization()) AS organization, x.action, x.object_type, x.object_id, x.before, x.after, x.ip, x.request_id, x.on_behalf_of
    FROM jsonb_array_elements(p_entries) WITH ORDINALITY AS j (entry, place)
    CROSS JOIN LATERAL jsonb_to_record(j.entry) AS x (organization uuid, action text, object_type text, object_id text, before jsonb, after jsonb, ip inet, request_id text, on_behalf_of uuid)
    ORDER BY 1, j.place LOOP
    INSERT INTO audit_chain (organization_id, seq, hash, transaction, begun_at)
      SELECT e.organization, 0, audit_genesis(), pg_current_xact_id(), now() WHERE NOT EXISTS (SELECT FROM audit_chain WHERE organization_id = e.organization) ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT v_head FROM audit_chain WHERE organization_id = e.organization FOR UPDATE;
    v := ROW (e.organization, v_head.seq + 1, kt_now(), v_actor ->> 'kind', v_actor ->> 'id', e.on_behalf_of, e.action, e.object_type, e.object_id,
      e.before, e.after, host(e.ip), e.request_id, v_head.hash, NULL);
    v.hash := audit_hash(v, v_head.hash);
    INSERT INTO audit_entry VALUES (v.*);
    UPDATE audit_chain SET seq = v.seq, hash = v.hash, transaction = pg_current_xact_id(), begun_at = now() WHERE organization_id = e.organization;
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $$;

ALTER FUNCTION audit_append OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION audit_append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_append TO kilotoken_api, kilotoken_control;
