-- Distributes an existing Kilotoken database over Citus 13 or newer, by organization. Run it once, as the owner, while nothing else runs, after
-- CREATE EXTENSION citus and citus_add_node for every worker. docs/operations/citus.md says what it needs first and what does not fit yet.
-- It was checked against Citus's rules (libs/platform/src/database/citus-rules.db.spec.ts) and never run on a Citus.

BEGIN;

-- Citus runs a trigger where its row is, on a worker, and what ours write to is elsewhere. Until what they do is done by the functions that write the
-- rows, this stops here and changes nothing.
DO $$
DECLARE
  triggers text;
BEGIN
  SELECT string_agg(t.tgname, ', ' ORDER BY t.tgname) INTO triggers
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
    AND (c.relname IN ('model', 'lane', 'price_version', 'organization')
         OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organization_id' AND a.attnotnull));
  IF triggers IS NOT NULL THEN
    RAISE EXCEPTION 'triggers would run on the workers: %', triggers USING HINT = 'See "What does not fit yet" in docs/operations/citus.md.';
  END IF;
END $$;

-- Small, referenced from everywhere, seldom changed: a copy on every node. Keys are unique by their hash and organizations by their slug, before
-- anybody knows whose they are, which a distributed table could not promise.
DO $$
DECLARE
  reference_tables CONSTANT text[] := ARRAY['price_book', 'model', 'lane', 'price_version', 'rate', 'organization', 'project', 'api_key', 'session', 'usage_archive'];
  name text;
BEGIN
  FOREACH name IN ARRAY reference_tables LOOP
    PERFORM create_reference_table(name::regclass);
  END LOOP;
END $$;

-- Every other table that has the organization is distributed by it, all of them alike, so that an organization's rows, their references and their
-- joins stay on one node. By a rule and not by a list: a new table is distributed as soon as it has the column. What is referenced goes first.
DO $$
DECLARE
  remaining text[];
  ready text[];
  name text;
BEGIN
  SELECT array_agg(c.relname::text) INTO remaining
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attname = 'organization_id' AND a.attnotnull
    AND NOT EXISTS (SELECT FROM pg_dist_partition d WHERE d.logicalrelid = c.oid);
  WHILE cardinality(remaining) > 0 LOOP
    SELECT array_agg(t) INTO ready FROM unnest(remaining) t
    WHERE NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = t::regclass AND f.confrelid <> f.conrelid
                        AND f.confrelid::regclass::text = ANY (remaining));
    IF ready IS NULL THEN
      RAISE EXCEPTION 'these tables reference each other in a circle: %', remaining;
    END IF;
    FOREACH name IN ARRAY ready LOOP
      PERFORM create_distributed_table(name::regclass, 'organization_id');
    END LOOP;
    SELECT coalesce(array_agg(t), '{}') INTO remaining FROM unnest(remaining) t WHERE t <> ALL (ready);
  END LOOP;
END $$;

-- Heartbeats, the rater's queue and the version of the configuration stay ordinary tables of the coordinator: they belong to processes.
COMMIT;
