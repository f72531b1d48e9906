-- Why: who changed a key, a price, a limit or a grant could not be told afterwards: the control plane wrote with the owner's login, and no row
-- named an actor. Every change of its tables is recorded here from now on, by triggers, in the transaction that makes it.
-- Locks: nothing that exists; the table is new. Its triggers come with the definitions and take a moment's lock on each table.
CREATE TABLE control_change (
  id              uuid PRIMARY KEY DEFAULT uuidv7(),
  changed_at      timestamptz NOT NULL DEFAULT kt_now(),
  -- Null: the whole platform's, as a model or a price.
  organization_id uuid,
  actor_kind      text NOT NULL CHECK (actor_kind IN ('person', 'token', 'system', 'kt')),
  actor_id        text NOT NULL CHECK (length(actor_id) BETWEEN 1 AND 200),
  actor_name      text CHECK (length(actor_name) BETWEEN 1 AND 200),
  table_name      text NOT NULL,
  row_key         jsonb NOT NULL,
  change          text NOT NULL CHECK (change IN ('insert', 'update', 'delete')),
  -- Of an update: the names of the columns that changed. Their values may be secrets.
  columns         text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX control_change_by_organization ON control_change (organization_id, id);
