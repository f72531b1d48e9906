-- Why: reconcile reads exported files, and names the row group of one that was damaged. So an export keeps a digest of each part of its file: of
-- each row group, and of what follows the last one. And seals leave with the partition whose rows they seal: from when on rows are sealed is
-- then a moment that is kept, where it was told by the first seal before.
-- Locks: ACCESS EXCLUSIVE on usage_archive and usage_seal_horizon for a moment, which no settlement takes; no row is rewritten.

-- Null: exported by a release that kept none. The first part begins with the file; the last part has no rows.
ALTER TABLE usage_archive ADD COLUMN part_ends bigint[], ADD COLUMN part_rows bigint[], ADD COLUMN part_sha256 text[],
  ADD CONSTRAINT usage_archive_parts CHECK (num_nulls(part_ends, part_rows, part_sha256) IN (0, 3));

ALTER TABLE usage_seal_horizon DROP CONSTRAINT usage_seal_horizon_sealed_from_check;
