-- Why: jobs of our own. A job of outbox_job was made for an event; payments, invoices, nightly work and batches need jobs that no event caused.
-- event_id may be null from here on. A job of the platform belongs to platform_organization(), an id that no organization may have: so
-- the key of the table, its policies and the processes of the release before stay as they are, and no tenant sees the platform's jobs.
-- Locks: a moment's ACCESS EXCLUSIVE on outbox_job and on organization, without a scan, since their checks hold for new rows alone; SHARE on
-- outbox_job while the index on dead jobs is made, which reads the table once and keeps dispatchers and runs waiting.

ALTER TABLE outbox_job
  ALTER COLUMN event_id DROP NOT NULL,
  -- The queue's own number is written when the job is taken.
  ALTER COLUMN attempts_max SET DEFAULT 10,
  ADD CONSTRAINT outbox_job_key_length CHECK (length(key) BETWEEN 1 AND 200) NOT VALID,
  ADD CONSTRAINT outbox_job_payload_size CHECK (octet_length(payload::text) <= 65536) NOT VALID;

ALTER TABLE organization ADD CONSTRAINT organization_is_not_the_platform CHECK (id <> '00000000-0000-0000-0000-000000000000') NOT VALID;

-- To count the dead without the others that ended.
CREATE INDEX outbox_job_dead ON outbox_job (queue, created_at) WHERE status = 'dead';
