-- Stores the sealed answer of the mutation for which the transaction claimed the key.
CREATE OR REPLACE FUNCTION idempotent_mutation_answer(p_key text, p_answer text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_actor jsonb := current_setting('kilotoken.actor')::jsonb;
BEGIN
  UPDATE idempotent_mutation SET answer = p_answer
    WHERE actor_kind = v_actor ->> 'kind' AND actor_id = v_actor ->> 'id' AND key = p_key AND answer IS NULL;
  IF NOT FOUND THEN RAISE EXCEPTION 'the key % was not claimed', p_key USING ERRCODE = 'KT062'; END IF;
END $$;

ALTER FUNCTION idempotent_mutation_answer OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION idempotent_mutation_answer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotent_mutation_answer TO kilotoken_api;
