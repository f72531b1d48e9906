-- Why: who proves the books has to see all organizations and may change nothing: a role of its own, which the nightly job logs in
-- with and no other process. And what each nightly proof found.
-- Locks: a moment's ACCESS EXCLUSIVE on each table that gets a policy.

-- A group without login, like kilotoken_app; it reads what reconciliation reads, row-level security included, and nothing else.
DO $$ BEGIN CREATE ROLE kilotoken_auditor NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT USAGE ON SCHEMA public TO kilotoken_auditor;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['organization', 'credit_grant', 'grant_adjustment', 'lease', 'open_request', 'usage', 'usage_default', 'usage_quarantine',
    'quarantine_step', 'usage_archive_total', 'rating_adjustment', 'ledger_transaction', 'ledger_posting', 'ledger_chain'] LOOP
    EXECUTE format('CREATE POLICY auditing ON %I FOR SELECT TO kilotoken_auditor USING (true)', t);
    EXECUTE format('GRANT SELECT ON %I TO kilotoken_auditor', t);
  END LOOP;
END $$;
GRANT SELECT ON database_mark, price_version, rate, session, session_heartbeat, unrated_batch, rated_flush, rated_batch, rating_position,
  usage_archive TO kilotoken_auditor;
-- Which version this database is of. A shadow database of Prisma's tools has no history.
DO $$ BEGIN IF to_regclass('public._prisma_migrations') IS NOT NULL THEN GRANT SELECT ON _prisma_migrations TO kilotoken_auditor; END IF; END $$;

-- One row a proof. `report` is what `npm run reconcile -- --json` prints, without more findings than it names.
CREATE TABLE reconcile_run (
  id          uuid PRIMARY KEY,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT kt_now(),
  outcome     text NOT NULL CHECK (outcome IN ('holds', 'found', 'could_not_check')),
  findings    bigint NOT NULL CHECK (findings >= 0),
  reason      text,
  report      jsonb,
  CONSTRAINT findings_are_found CHECK ((outcome = 'found') = (findings > 0)),
  CONSTRAINT reason_or_report CHECK ((outcome = 'could_not_check') = (report IS NULL) AND (report IS NULL) = (reason IS NOT NULL))
);
CREATE INDEX reconcile_run_by_start ON reconcile_run (started_at);
GRANT SELECT, INSERT ON reconcile_run TO kilotoken_auditor;
GRANT EXECUTE ON FUNCTION kt_now() TO kilotoken_auditor;
