-- Why: release 0.2.0 ran its nightly work under claims of nightly_run and gave it attempts. Since 0.3.0 a night is a job of the outbox, which has both,
-- so nothing reads these columns. They are optional from now on, so that functions need not write them; the functions of 0.3.0 still do until
-- the definitions replace them, so a later release drops the columns.
-- Locks: ACCESS EXCLUSIVE on nightly_run for a moment.
ALTER TABLE nightly_run ALTER COLUMN attempts DROP NOT NULL, ALTER COLUMN claim_id DROP NOT NULL, ALTER COLUMN claimed_until DROP NOT NULL;
