-- Claims a key of the transaction's actor for one mutation. Null: the caller runs the mutation now and ends the transaction with
-- idempotent_mutation_answer. Otherwise: the sealed answer of the first run. Waits for a transaction that claims the same key. A key that
-- was used for another mutation is refused (KT061). Keys are kept for a day; each claim deletes a few older ones.
CREATE OR REPLACE FUNCTION idempotent_mutation_claim(p_key text, p_operation text, p_input_hash bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_actor jsonb := current_setting('kilotoken.actor')::jsonb;
  v_known idempotent_mutation;
BEGIN
  DELETE FROM idempotent_mutation WHERE (actor_kind, actor_id, key) IN (
    SELECT actor_kind, actor_id, key FROM idempotent_mutation WHERE created_at < kt_now() - interval '1 day' ORDER BY created_at LIMIT 20 FOR UPDATE SKIP LOCKED);
  INSERT INTO idempotent_mutation (actor_kind, actor_id, key, operation, input_hash) VALUES (v_actor ->> 'kind', v_actor ->> 'id', p_key, p_operation, p_input_hash)
    ON CONFLICT DO NOTHING;
  IF FOUND THEN RETURN NULL; END IF;
  SELECT * INTO STRICT v_known FROM idempotent_mutation WHERE actor_kind = v_actor ->> 'kind' AND actor_id = v_actor ->> 'id' AND key = p_key;
  IF v_known.operation <> p_operation OR v_known.input_hash <> p_input_hash THEN RAISE EXCEPTION 'the key stands for another mutation' USING ERRCODE = 'KT061'; END IF;
  RETURN v_known.answer;
END $$;

ALTER FUNCTION idempotent_mutation_claim OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION idempotent_mutation_claim FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotent_mutation_claim TO kilotoken_api;
