-- Not in a transaction: grants are written to while their index is made.
-- Why: whoever looks for grants that have expired read all there are, every ten seconds.
-- Locks: none that a request waits for.
DROP INDEX CONCURRENTLY IF EXISTS credit_grant_by_expiry;
CREATE INDEX CONCURRENTLY credit_grant_by_expiry ON credit_grant (expires_at) WHERE expires_at IS NOT NULL;
