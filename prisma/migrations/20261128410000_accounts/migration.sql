-- Why: an auditor must be able to tell who did what, to what, with which effect, and that no entry was changed or removed since. Amounts above a
-- threshold need a second person. A parent keeps its children in funds by rules. A budget tells of itself before it is used up.
-- Locks: control_change and usage_limit for a moment, to add columns without rewriting them; everything else is new.
CREATE TABLE audit_entry (
  -- The organization of zeros: the platform's own, as a model or a price.
  organization_id uuid NOT NULL,
  seq             bigint NOT NULL CHECK (seq > 0),
  at              timestamptz NOT NULL,
  actor_kind      text NOT NULL CHECK (actor_kind IN ('person', 'token', 'system', 'kt')),
  actor_id        text NOT NULL CHECK (length(actor_id) BETWEEN 1 AND 200),
  -- The organization whose pages a member of staff looked at as its viewer sees them.
  on_behalf_of    uuid,
  action          text NOT NULL CHECK (length(action) BETWEEN 1 AND 200),
  object_type     text NOT NULL CHECK (length(object_type) BETWEEN 1 AND 100),
  object_id       text CHECK (length(object_id) BETWEEN 1 AND 500),
  before          jsonb,
  after           jsonb,
  ip              text CHECK (length(ip) BETWEEN 2 AND 45),
  request_id      text CHECK (length(request_id) BETWEEN 1 AND 200),
  previous_hash   bytea NOT NULL,
  hash            bytea NOT NULL,
  PRIMARY KEY (organization_id, seq)
);
CREATE INDEX audit_entry_by_time ON audit_entry (at, organization_id, seq);
CREATE INDEX audit_entry_by_organization ON audit_entry (organization_id, at, seq);
CREATE INDEX audit_entry_by_actor ON audit_entry (actor_id, at);
CREATE INDEX audit_entry_by_object ON audit_entry (object_id, at);

-- The head of each organization's chain, and the transaction that moved it last: by its id and its beginning, since a restored database gives ids again.
CREATE TABLE audit_chain (
  organization_id uuid PRIMARY KEY,
  seq             bigint NOT NULL,
  hash            bytea NOT NULL,
  transaction     xid8 NOT NULL,
  begun_at        timestamptz NOT NULL
);

-- The values that a change replaced and put, of columns that hold no secret and nobody's name. Null before this version.
ALTER TABLE control_change ADD COLUMN before jsonb, ADD COLUMN after jsonb, ADD COLUMN transaction xid8;
ALTER TABLE control_change ALTER COLUMN transaction SET DEFAULT pg_current_xact_id();
CREATE INDEX control_change_by_transaction ON control_change (transaction);

-- Above the amount a second person approves an act of the kind. Unit '*': every unit without a row of its own.
CREATE TABLE approval_threshold (
  kind   text NOT NULL CHECK (kind IN ('grant.issue', 'grant.adjust', 'grant.refund', 'grant.transfer')),
  unit   text NOT NULL CHECK (unit ~ '^([A-Z]{3}|[a-z][a-z0-9-]{1,62}|\*)$'),
  amount numeric(38, 12) NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (kind, unit)
);
INSERT INTO approval_threshold SELECT kind, '*', 1000 FROM unnest(ARRAY['grant.issue', 'grant.adjust', 'grant.refund', 'grant.transfer']) AS kind;

CREATE TABLE approval (
  organization_id   uuid NOT NULL REFERENCES organization (id),
  id                uuid NOT NULL,
  kind              text NOT NULL CHECK (kind IN ('grant.issue', 'grant.adjust', 'grant.refund', 'grant.transfer')),
  -- Names the act, as it will name the change of the grant: asked again under it, there is one approval.
  reference         text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
  payload           jsonb NOT NULL,
  unit              text NOT NULL,
  amount            numeric(38, 12) NOT NULL,
  requested_by_kind text NOT NULL CHECK (requested_by_kind IN ('person', 'token', 'system')),
  requested_by_id   text NOT NULL CHECK (length(requested_by_id) BETWEEN 1 AND 200),
  requested_at      timestamptz NOT NULL DEFAULT kt_now(),
  expires_at        timestamptz NOT NULL,
  decision          text CHECK (decision IN ('approved', 'rejected', 'cancelled')),
  decided_by_kind   text CHECK (decided_by_kind IN ('person', 'token', 'kt')),
  decided_by_id     text CHECK (length(decided_by_id) BETWEEN 1 AND 200),
  decided_at        timestamptz,
  reason            text CHECK (length(reason) BETWEEN 1 AND 500),
  result            jsonb,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, kind, reference),
  CONSTRAINT approval_is_decided_whole CHECK (num_nulls(decision, decided_by_kind, decided_by_id, decided_at) IN (0, 4)),
  CONSTRAINT approval_has_its_result CHECK ((decision = 'approved') = (result IS NOT NULL) OR decision IS NULL AND result IS NULL),
  -- Whoever asks for an amount does not approve it, and a program approves nothing.
  CONSTRAINT approval_by_another_person CHECK (decision IS DISTINCT FROM 'approved' OR (decided_by_kind = 'person' AND (requested_by_kind, requested_by_id) <> (decided_by_kind, decided_by_id)))
);
CREATE INDEX approval_pending ON approval (id) WHERE decision IS NULL;

-- Keeps a child in funds: below the threshold of its balance, the amount is transferred, up to the cap in a calendar month of UTC.
CREATE TABLE transfer_rule (
  organization_id uuid NOT NULL REFERENCES organization (id),
  child_id        uuid NOT NULL,
  unit            text NOT NULL,
  threshold       numeric(38, 12) NOT NULL CHECK (threshold > 0),
  amount          numeric(38, 12) NOT NULL CHECK (amount > 0),
  cap_per_month   numeric(38, 12) NOT NULL CHECK (cap_per_month > 0),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  -- Of the month that began at month_start.
  month_start     timestamptz NOT NULL DEFAULT '-infinity',
  transferred     numeric(38, 12) NOT NULL DEFAULT 0 CHECK (transferred >= 0),
  -- Numbers the transfers of the rule, and so their references.
  transfers       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (organization_id, child_id, unit),
  CHECK (organization_id <> child_id)
);
CREATE INDEX transfer_rule_by_child ON transfer_rule (child_id);

-- At which percents of a budget somebody is told. Limits that are no budgets have them and nobody is told.
ALTER TABLE usage_limit ADD COLUMN alert_percents smallint[] NOT NULL DEFAULT '{50,80,100}'
  CHECK (cardinality(alert_percents) <= 10 AND array_position(alert_percents, NULL) IS NULL AND 1 <= ALL (alert_percents) AND 1000 >= ALL (alert_percents));

-- What was told, once for each percent of a budget's period.
CREATE TABLE budget_alert (
  organization_id uuid NOT NULL,
  limit_id        uuid NOT NULL,
  period_start    timestamptz NOT NULL,
  percent         smallint NOT NULL,
  amount          numeric(38, 12) NOT NULL,
  used            numeric(38, 12) NOT NULL,
  alerted_at      timestamptz NOT NULL DEFAULT kt_now(),
  -- A budget of another amount tells of itself again.
  PRIMARY KEY (organization_id, limit_id, period_start, percent, amount),
  FOREIGN KEY (organization_id, limit_id) REFERENCES usage_limit (organization_id, id) ON DELETE CASCADE
);
