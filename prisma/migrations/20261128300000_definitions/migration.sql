-- Why: functions, triggers, policies and the rights of roles have one current text each from here on, in files beside the migrations
-- (prisma/README.md). After the migrations the runner applies the files that changed. It remembers here which text of each it applied.
-- Locks: nothing that exists; the table is new.
CREATE TABLE applied_definition (
  path       text PRIMARY KEY,
  checksum   text NOT NULL CHECK (length(checksum) = 64),
  -- Of the code that applied it: an older release must not put its texts back.
  release    text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
