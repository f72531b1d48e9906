-- Why: what a proof of the books needs to name a row. A usage row is sealed in the transaction that writes it, so that one that is changed,
-- deleted with its place in the raters' queue, or forged is named. A request that is opened is remembered, so that one that vanishes is. What
-- a lane costs, and which price book an organization has, are kept from now on with the moment from which they hold.
-- Locks: nothing that exists, but SHARE ROW EXCLUSIVE on lane, organization and price_book for a moment, for references to them.

-- One row a flush and statement: its usage rows, each with the first 8 bytes of a SHA-256 over all of its columns (usage_seal_put).
-- Only inserted. No organization's: a flush has rows of many.
CREATE TABLE usage_seal (
  id               uuid PRIMARY KEY DEFAULT uuidv7(),
  session_id       uuid NOT NULL,
  flush            bigint NOT NULL,
  -- Which columns are sealed, and how they are written.
  version          smallint NOT NULL,
  sealed_at        timestamptz NOT NULL DEFAULT kt_now(),
  organization_ids uuid[] NOT NULL,
  usage_ids        uuid[] NOT NULL,
  attempts         smallint[] NOT NULL,
  digests          bytea[] NOT NULL
);

-- From when on usage rows are sealed: all of them where there were none before, else from the first seal on (null).
CREATE TABLE usage_seal_horizon (
  only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  sealed_from timestamptz CHECK (sealed_from = '-infinity')
);
INSERT INTO usage_seal_horizon (sealed_from) SELECT CASE WHEN NOT EXISTS (SELECT FROM usage) THEN '-infinity'::timestamptz END;

-- Requests that had an open row. Each of them is running, was settled, or is in quarantine. Only inserted.
CREATE TABLE opened_request (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  session_id      uuid NOT NULL,
  opened_at       timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id)
);
INSERT INTO opened_request (organization_id, id, session_id, opened_at) SELECT organization_id, id, session_id, opened_at FROM open_request;

-- What a lane costs from a moment on, until the next row of it. Only inserted, but within one transaction.
CREATE TABLE lane_cost (
  lane_id  uuid NOT NULL REFERENCES lane (id),
  since    timestamptz NOT NULL DEFAULT kt_now(),
  currency text NOT NULL,
  per      bigint NOT NULL,
  rates    jsonb NOT NULL,
  PRIMARY KEY (lane_id, since)
);
INSERT INTO lane_cost (lane_id, currency, per, rates) SELECT id, cost_currency, cost_per, cost_rates FROM lane;

-- Which price book an organization has from a moment on. No release before this one changed it.
CREATE TABLE organization_price_book (
  organization_id uuid NOT NULL REFERENCES organization (id),
  since           timestamptz NOT NULL DEFAULT kt_now(),
  price_book_id   uuid NOT NULL REFERENCES price_book (id),
  PRIMARY KEY (organization_id, since)
);
INSERT INTO organization_price_book (organization_id, since, price_book_id) SELECT id, created_at, price_book_id FROM organization;
