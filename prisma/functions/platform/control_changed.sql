-- Trigger: records the actor of a changed row (`control_actor`), in the transaction of the change, with the values that may be kept
-- (`control_values`). It keeps the actor's id, and the name of kt's operators alone: a person's name is looked up, so that an erased person
-- has none. The trigger's arguments are the columns of the table's key. An update without a difference is not recorded. Each change gets an
-- entry of the audit log at the transaction's end (`control_change_audited`). For the clock of a demo or a test the beginning and the end of
-- its shift are recorded; the steps in between would be thousands of entries, and every row of that time carries the shifted time.
CREATE OR REPLACE FUNCTION control_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_actor jsonb := control_actor();
  v_old jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  v_new jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  v_row jsonb := coalesce(v_new, v_old);
  v_columns text[];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT array_agg(n.key ORDER BY n.key) INTO v_columns FROM jsonb_each(v_new) n JOIN jsonb_each(v_old) o USING (key) WHERE n.value IS DISTINCT FROM o.value;
    IF v_columns IS NULL THEN RETURN NULL; END IF;
  END IF;
  INSERT INTO control_change (organization_id, actor_kind, actor_id, actor_name, table_name, row_key, change, columns, before, after)
    VALUES (CASE TG_TABLE_NAME WHEN 'organization' THEN v_row ->> 'id' ELSE v_row ->> 'organization_id' END::uuid, v_actor ->> 'kind', v_actor ->> 'id',
      CASE v_actor ->> 'kind' WHEN 'kt' THEN v_actor ->> 'name' END, TG_TABLE_NAME, (SELECT jsonb_object_agg(key, v_row -> key) FROM unnest(TG_ARGV) key), lower(TG_OP), coalesce(v_columns, '{}'),
      control_values(TG_TABLE_NAME, v_old, v_columns), control_values(TG_TABLE_NAME, v_new, v_columns));
  RETURN NULL;
END $$;

ALTER FUNCTION control_changed OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION control_changed FROM PUBLIC;

CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON model FOR EACH ROW EXECUTE FUNCTION control_changed('id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON lane FOR EACH ROW EXECUTE FUNCTION control_changed('id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON price_book FOR EACH ROW EXECUTE FUNCTION control_changed('id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON price_version FOR EACH ROW EXECUTE FUNCTION control_changed('id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON rate
  FOR EACH ROW EXECUTE FUNCTION control_changed('price_version_id', 'token_class');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON pack_unit FOR EACH ROW EXECUTE FUNCTION control_changed('unit');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON burn_table FOR EACH ROW EXECUTE FUNCTION control_changed('id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON burn_weight
  FOR EACH ROW EXECUTE FUNCTION control_changed('burn_table_id', 'token_class');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON organization FOR EACH ROW EXECUTE FUNCTION control_changed('id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON project
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON api_key
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON usage_limit
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE OF url, description, kinds, disabled_at ON webhook_endpoint
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON webhook_secret
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'endpoint_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON notice_address
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE OF threshold ON balance_notice
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'unit');
CREATE TRIGGER control_changed AFTER INSERT ON credit_grant FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT ON grant_adjustment FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT ON grant_refund FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT ON grant_transfer FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER UPDATE ON database_mark
  FOR EACH ROW WHEN (old.kind <> new.kind OR (old.clock_shift = '00:00:00'::interval) <> (new.clock_shift = '00:00:00'::interval)) EXECUTE FUNCTION control_changed('only_row');
CREATE TRIGGER control_changed AFTER INSERT ON quarantine_step
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'usage_id', 'attempt', 'reason', 'sequence');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE OF name, email, locale, disabled_at, erased_at ON person
  FOR EACH ROW EXECUTE FUNCTION control_changed('id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON membership
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'person_id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON invitation
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE OF name, role, permissions, expires_at, revoked_at ON service_token
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE ON approval_threshold
  FOR EACH ROW EXECUTE FUNCTION control_changed('kind', 'unit');
CREATE TRIGGER control_changed AFTER INSERT OR UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'id');
CREATE TRIGGER control_changed AFTER INSERT OR DELETE OR UPDATE OF threshold, amount, cap_per_month ON transfer_rule
  FOR EACH ROW EXECUTE FUNCTION control_changed('organization_id', 'child_id', 'unit');
