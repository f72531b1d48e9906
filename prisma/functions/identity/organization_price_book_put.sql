-- Trigger: keeps each price book of an organization with its start, so that reconcile proves that the right book priced a row.
CREATE OR REPLACE FUNCTION organization_price_book_put() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO organization_price_book (organization_id, price_book_id) VALUES (NEW.id, NEW.price_book_id)
    ON CONFLICT (organization_id, since) DO UPDATE SET price_book_id = excluded.price_book_id;
  RETURN NULL;
END $$;

ALTER FUNCTION organization_price_book_put OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION organization_price_book_put FROM PUBLIC;

CREATE TRIGGER organization_price_book_begins AFTER INSERT ON organization FOR EACH ROW EXECUTE FUNCTION organization_price_book_put();
CREATE TRIGGER organization_price_book_changed AFTER UPDATE ON organization
  FOR EACH ROW WHEN (old.price_book_id IS DISTINCT FROM new.price_book_id) EXECUTE FUNCTION organization_price_book_put();
