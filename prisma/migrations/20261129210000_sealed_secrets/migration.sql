-- Why: webhooks' secrets are stored encrypted under KILOTOKEN_SECRET_KEY, so that a copy of the database signs nothing. `kt secrets rotate` encrypts the
-- plain ones that are there; until then both are read.
-- Locks: ACCESS EXCLUSIVE on webhook_secret for a moment; the new check is validated under a lock that lets reads and writes through.
ALTER TABLE webhook_secret DROP CONSTRAINT webhook_secret_secret_check;
ALTER TABLE webhook_secret ADD CONSTRAINT webhook_secret_secret_check
  CHECK (length(secret) <= 500 AND secret ~ '^(whsec_[A-Za-z0-9+/]{32,88}={0,2}|kt1\.[0-9a-f]{8}\.[A-Za-z0-9_-]{40,})$') NOT VALID;
ALTER TABLE webhook_secret VALIDATE CONSTRAINT webhook_secret_secret_check;
