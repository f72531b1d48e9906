-- The account against which a grant was issued, and to which a refund returns the money.
CREATE OR REPLACE FUNCTION grant_counterpart(promotional boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN promotional THEN 'promotion_expense' ELSE 'cash_clearing' END $$;

REVOKE ALL ON FUNCTION grant_counterpart FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_counterpart TO kilotoken_definer;
