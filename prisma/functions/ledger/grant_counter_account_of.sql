-- The counter-account of a grant's source: p_asked where the chart allows it, the source's default where p_asked is null.
-- Errors: KT025 the chart allows no such account.
CREATE OR REPLACE FUNCTION grant_counter_account_of(p_source text, p_asked text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_account text;
BEGIN
  SELECT account INTO v_account FROM grant_counter_account
    WHERE source = p_source AND CASE WHEN p_asked IS NULL THEN is_default ELSE account = p_asked END;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a grant of source % may not stand against %', p_source, coalesce(p_asked, 'any account') USING ERRCODE = 'KT025';
  END IF;
  RETURN v_account;
END $$;

REVOKE ALL ON FUNCTION grant_counter_account_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_counter_account_of TO kilotoken_definer;
