-- The number of end users with their own counter in one window, or in one of the up to 30 parts of a rolling window.
CREATE OR REPLACE FUNCTION limit_subjects_max(p_window_kind text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE p_window_kind WHEN 'rolling' THEN 2000 ELSE 10000 END $$;

REVOKE ALL ON FUNCTION limit_subjects_max FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_subjects_max TO kilotoken_definer;
