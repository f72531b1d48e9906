-- Why: a seal is compared by its version, and a version that no release knows would be compared with nothing. A release that adds a version
-- widens this check.
-- Locks: ACCESS EXCLUSIVE on usage_seal for a moment; the new check is validated under a lock that lets reads and writes through.
ALTER TABLE usage_seal ADD CONSTRAINT usage_seal_version_check CHECK (version IN (1, 2)) NOT VALID;
ALTER TABLE usage_seal VALIDATE CONSTRAINT usage_seal_version_check;
