-- Why: the spine. Who buys (organization, project, key), what may be spent (grant, lease), what was served (usage),
-- what it cost (price, ledger), and the few functions that move money across organizations.
-- Locks: nothing that exists; every object here is new.

-- ── Roles ──────────────────────────────────────────────────────────────────────────────────────────────────────
-- Both are groups without login, shared by all databases of a cluster. A login of an installation is a member of
-- kilotoken_app. Functions that cross organizations run as kilotoken_definer, which owns functions and no table.
DO $$ BEGIN CREATE ROLE kilotoken_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE kilotoken_definer NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO kilotoken_app, kilotoken_definer;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- ── Time ───────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE database_mark (
  only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  kind        text NOT NULL DEFAULT 'production' CHECK (kind IN ('production', 'demo', 'test')),
  clock_shift interval NOT NULL DEFAULT '0',
  CONSTRAINT production_time_is_real CHECK (kind <> 'production' OR clock_shift = '0')
);
INSERT INTO database_mark DEFAULT VALUES;

-- The one clock of the database. Only the owner can shift it, and only where the mark says test or demo.
CREATE FUNCTION kt_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
  AS 'SELECT now() + (SELECT clock_shift FROM public.database_mark)';

-- The smallest UUIDv7 of a moment: usage is partitioned by its id, which carries its time.
CREATE FUNCTION uuid_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid $$;

-- ── Catalogue: models, lanes, prices (no tenant's; read by all) ──────────────────────────────────────────────────
CREATE TABLE config_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version  bigint NOT NULL DEFAULT 1
);
INSERT INTO config_version DEFAULT VALUES;

-- What changed with which version; a gateway that is some versions behind reads only these. The version row is locked
-- until its change commits, so versions become visible in their order.
CREATE TABLE config_change (
  version         bigint PRIMARY KEY,
  kind            text NOT NULL CHECK (kind IN ('catalogue', 'organization')),
  organization_id uuid,
  changed_at      timestamptz NOT NULL DEFAULT kt_now()
);

CREATE TABLE model (
  id                text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$'),
  context_window    integer NOT NULL CHECK (context_window > 0),
  max_output_tokens integer NOT NULL CHECK (max_output_tokens > 0),
  origin            text NOT NULL CHECK (origin IN ('seed', 'file', 'console')),
  created_at        timestamptz NOT NULL DEFAULT kt_now(),
  retired_at        timestamptz
);

CREATE TABLE lane (
  id             uuid PRIMARY KEY,
  model_id       text NOT NULL REFERENCES model (id),
  position       smallint NOT NULL CHECK (position >= 0),
  kind           text NOT NULL CHECK (kind IN ('openai', 'worker')),
  base_url       text NOT NULL,
  upstream_model text NOT NULL,
  key_env        text,
  cost_currency  text NOT NULL,
  cost_per       bigint NOT NULL CHECK (cost_per > 0),
  cost_rates     jsonb NOT NULL,
  capabilities   text[] NOT NULL DEFAULT '{}',
  token_classes  text[] NOT NULL DEFAULT '{input,output}',
  tokenizer      text NOT NULL DEFAULT 'o200k_base',
  timeouts       jsonb NOT NULL DEFAULT '{}',
  origin         text NOT NULL CHECK (origin IN ('seed', 'file', 'console')),
  created_at     timestamptz NOT NULL DEFAULT kt_now(),
  retired_at     timestamptz
);
CREATE INDEX lane_by_model ON lane (model_id) WHERE retired_at IS NULL;

CREATE TABLE price_book (
  id         uuid PRIMARY KEY,
  name       text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT kt_now()
);

-- One model's price from a moment on. Published once and never edited; a usage row pins the version it was priced at.
CREATE TABLE price_version (
  id            uuid PRIMARY KEY,
  price_book_id uuid NOT NULL REFERENCES price_book (id),
  model_id      text NOT NULL REFERENCES model (id),
  currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  effective_at  timestamptz NOT NULL,
  published_at  timestamptz NOT NULL DEFAULT kt_now(),
  UNIQUE (price_book_id, model_id, effective_at)
);

-- amount ÷ per is the price of one token of the class. A null amount is "no price" and refuses; zero is free.
CREATE TABLE rate (
  price_version_id uuid NOT NULL REFERENCES price_version (id),
  token_class      text NOT NULL,
  amount           numeric(38, 12) CHECK (amount >= 0),
  per              bigint NOT NULL CHECK (per > 0),
  PRIMARY KEY (price_version_id, token_class)
);

-- ── Tenants ────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE organization (
  id              uuid PRIMARY KEY,
  name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  slug            text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  account_root_id uuid NOT NULL,
  price_book_id   uuid NOT NULL REFERENCES price_book (id),
  time_zone       text NOT NULL DEFAULT 'UTC',
  status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  created_at      timestamptz NOT NULL DEFAULT kt_now()
);

CREATE TABLE project (
  organization_id uuid NOT NULL REFERENCES organization (id),
  id              uuid NOT NULL,
  name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  archived_at     timestamptz,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, name)
);

CREATE TABLE api_key (
  organization_id uuid NOT NULL REFERENCES organization (id),
  id              uuid NOT NULL,
  project_id      uuid NOT NULL,
  name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  hash            bytea NOT NULL CHECK (octet_length(hash) = 32),
  prefix          text NOT NULL,
  allowed_models  text[],
  expires_at      timestamptz,
  revoked_at      timestamptz,
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, hash),
  FOREIGN KEY (organization_id, project_id) REFERENCES project (organization_id, id)
);
CREATE INDEX api_key_by_hash ON api_key (hash);

-- Apart from the key, so that use neither rewrites the key nor invalidates caches of it. Written by the rater.
CREATE TABLE api_key_use (
  organization_id uuid NOT NULL,
  api_key_id      uuid NOT NULL,
  last_used_at    timestamptz NOT NULL,
  PRIMARY KEY (organization_id, api_key_id),
  FOREIGN KEY (organization_id, api_key_id) REFERENCES api_key (organization_id, id)
) WITH (fillfactor = 70);

-- An amount of a unit that an organization may spend. `leased` counts whole slices of open leases; `settled` what closed
-- leases spent. What open leases have spent so far is the sum of their allocations in usage.
CREATE TABLE credit_grant (
  organization_id uuid NOT NULL REFERENCES organization (id),
  id              uuid NOT NULL,
  unit            text NOT NULL,
  source          text NOT NULL CHECK (source IN ('package', 'prepaid', 'promotion', 'free_quota', 'allowance',
                    'commitment', 'sla_credit', 'credit_line', 'transfer')),
  promotional     boolean NOT NULL DEFAULT false,
  reference       text NOT NULL,
  priority        smallint NOT NULL DEFAULT 100,
  scope_models    text[],
  granted         numeric(38, 12) NOT NULL CHECK (granted > 0 AND granted <> 'NaN'),
  adjusted        numeric(38, 12) NOT NULL DEFAULT 0,
  refunded        numeric(38, 12) NOT NULL DEFAULT 0 CHECK (refunded >= 0),
  expired         numeric(38, 12) NOT NULL DEFAULT 0 CHECK (expired >= 0),
  rolled_over     numeric(38, 12) NOT NULL DEFAULT 0 CHECK (rolled_over >= 0),
  transferred     numeric(38, 12) NOT NULL DEFAULT 0,
  settled         numeric(38, 12) NOT NULL DEFAULT 0 CHECK (settled >= 0),
  available       numeric(38, 12) NOT NULL,
  leased          numeric(38, 12) NOT NULL DEFAULT 0,
  effective_at    timestamptz NOT NULL DEFAULT kt_now(),
  expires_at      timestamptz CHECK (expires_at > effective_at),
  closing_at      timestamptz,
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, source, reference),
  CONSTRAINT never_below_the_floor CHECK (available >= 0 AND leased >= 0),
  CONSTRAINT conserved CHECK (granted + adjusted - refunded - expired - rolled_over - transferred - settled = available + leased)
) WITH (fillfactor = 50);

-- A gateway process. `reaped_at` is the fence: whatever moves money first takes this row FOR SHARE while it is null.
CREATE TABLE session (
  id         uuid PRIMARY KEY,
  app        text NOT NULL,
  host       text NOT NULL,
  pid        integer NOT NULL,
  release    text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT kt_now(),
  reaped_at  timestamptz
);
CREATE INDEX session_alive ON session (id) WHERE reaped_at IS NULL;

-- Apart from the fence: overlapping share locks on one row would starve the heartbeat.
CREATE TABLE session_heartbeat (
  session_id uuid PRIMARY KEY REFERENCES session (id),
  beat       bigint NOT NULL DEFAULT 0,
  beat_at    timestamptz NOT NULL DEFAULT kt_now()
) WITH (fillfactor = 10);

-- A slice of a grant that one gateway may spend from memory. `first_usage_id`: no older request can have used it.
CREATE TABLE lease (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  grant_id        uuid NOT NULL,
  session_id      uuid NOT NULL REFERENCES session (id),
  ask_id          uuid NOT NULL,
  slice           numeric(38, 12) NOT NULL CHECK (slice >= 0),
  settled         numeric(38, 12),
  first_usage_id  uuid NOT NULL,
  opened_at       timestamptz NOT NULL DEFAULT kt_now(),
  recalled_at     timestamptz,
  closed_at       timestamptz,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, ask_id, grant_id),
  FOREIGN KEY (organization_id, grant_id) REFERENCES credit_grant (organization_id, id),
  CONSTRAINT settled_when_closed CHECK ((closed_at IS NULL AND settled IS NULL) OR (closed_at IS NOT NULL AND settled = slice))
);
CREATE INDEX lease_open_by_session ON lease (session_id) WHERE closed_at IS NULL;
CREATE INDEX lease_open_by_grant ON lease (organization_id, grant_id) WHERE closed_at IS NULL;

-- The last ask of a session, for an organization's money of one unit, that got nothing: executed again, late, it must not
-- take what its session would never know of. Gone when the session is reaped.
CREATE TABLE refused_ask (
  organization_id uuid NOT NULL,
  session_id      uuid NOT NULL REFERENCES session (id),
  unit            text NOT NULL,
  ask_id          uuid NOT NULL,
  PRIMARY KEY (organization_id, session_id, unit)
) WITH (fillfactor = 50);
CREATE INDEX refused_ask_by_session ON refused_ask (session_id);

-- A request that runs for longer than a second. `settlement` are the usage rows as they would be if the gateway died now,
-- so the reaper bills by inserting them: what a checkpoint is worth is computed in one place, the gateway.
CREATE TABLE open_request (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  session_id      uuid NOT NULL REFERENCES session (id),
  holds           jsonb NOT NULL,
  settlement      jsonb NOT NULL CHECK (jsonb_typeof(settlement) = 'array'),
  opened_at       timestamptz NOT NULL DEFAULT kt_now(),
  checkpoint_at   timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id)
) WITH (fillfactor = 50);
CREATE INDEX open_request_by_session ON open_request (session_id);

-- One row an attempt; at most one attempt of a request carries the charge. Only inserted, never changed. Partitioned by
-- its time-ordered id, so the primary key holds the partition key and a repeated insert meets the first one.
-- No foreign keys: a check a row would be paid on the hot path for what the gateway read from those tables.
CREATE TABLE usage (
  organization_id  uuid NOT NULL,
  id               uuid NOT NULL,
  attempt          smallint NOT NULL CHECK (attempt >= 0),
  session_id       uuid NOT NULL,
  flush            bigint NOT NULL,
  shard            smallint NOT NULL,
  account_root_id  uuid NOT NULL,
  project_id       uuid NOT NULL,
  api_key_id       uuid NOT NULL,
  end_user         text,
  tags             jsonb,
  operation        text NOT NULL,
  mode             text NOT NULL,
  stream           boolean NOT NULL,
  model            text NOT NULL,
  tier_asked       text NOT NULL,
  tier_served      text NOT NULL,
  outcome          text NOT NULL,
  status           smallint NOT NULL,
  error_code       text,
  finish_reason    text,
  lane_id          uuid,
  upstream_model   text,
  upstream_id      text,
  upstream_status  smallint,
  counts           jsonb NOT NULL,
  estimated        boolean NOT NULL,
  context_tokens   bigint NOT NULL,
  max_tokens       bigint NOT NULL,
  price_version_id uuid NOT NULL,
  unit             text NOT NULL,
  hold             numeric(38, 12) NOT NULL,
  rated            numeric(38, 12) NOT NULL,
  charge           numeric(38, 12) NOT NULL,
  allocations      jsonb NOT NULL,
  cost             numeric(38, 12) NOT NULL CHECK (cost >= 0 AND cost <> 'NaN'),
  cost_currency    text NOT NULL,
  clock_offset_ms  integer NOT NULL,
  admitted_at      timestamptz NOT NULL,
  dispatched_at    timestamptz,
  first_token_at   timestamptz,
  finished_at      timestamptz NOT NULL,
  settled_at       timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id, attempt),
  -- NaN is greater than every number to Postgres.
  CONSTRAINT never_above_the_hold CHECK (charge >= 0 AND charge <= hold AND rated >= charge AND hold <> 'NaN' AND rated <> 'NaN')
) PARTITION BY RANGE (id);

CREATE TABLE usage_default PARTITION OF usage DEFAULT;
DO $$
DECLARE month timestamptz;
BEGIN
  FOR step IN -1..13 LOOP
    month := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => step)) AT TIME ZONE 'UTC';
    EXECUTE format('CREATE TABLE %I PARTITION OF usage FOR VALUES FROM (%L) TO (%L)',
      'usage_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'), uuid_floor(month),
      uuid_floor(((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'));
  END LOOP;
END $$;

-- Usage that could not be stored or trusted, as bytes: whatever it holds, it can be kept.
CREATE TABLE usage_quarantine (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  attempt         smallint NOT NULL,
  session_id      uuid NOT NULL,
  reason          text NOT NULL,
  raw             bytea NOT NULL,
  quarantined_at  timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id, attempt, reason)
);

-- ── Rating ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- The rater's queue: which usage rows of a flush are not rated yet. Written with them, deleted when they are posted.
CREATE TABLE unrated_batch (
  session_id       uuid NOT NULL,
  flush            bigint NOT NULL,
  shard            smallint NOT NULL,
  organization_ids uuid[] NOT NULL,
  usage_ids        uuid[] NOT NULL,
  attempts         smallint[] NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (session_id, flush, shard)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- Which transaction of a rater took a flush; its primary key refuses a second rating of the same flush.
CREATE TABLE rated_flush (
  session_id uuid NOT NULL,
  flush      bigint NOT NULL,
  shard      smallint NOT NULL,
  rating_id  uuid NOT NULL,
  PRIMARY KEY (session_id, flush, shard)
);
CREATE INDEX rated_flush_by_rating ON rated_flush (rating_id);

-- The order in which an account tree's usage was rated: by rating_seq, within it by usage id.
CREATE TABLE rated_batch (
  account_root_id uuid NOT NULL,
  rating_seq      bigint NOT NULL CHECK (rating_seq > 0),
  rating_id       uuid NOT NULL,
  rows            integer NOT NULL CHECK (rows > 0),
  rated_at        timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (account_root_id, rating_seq),
  UNIQUE (account_root_id, rating_id)
);

CREATE TABLE rating_position (
  account_root_id uuid PRIMARY KEY,
  rating_seq      bigint NOT NULL
) WITH (fillfactor = 50);

-- ── Ledger ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Double entry: debits positive, credits negative; a transaction's postings sum to zero in each unit. Only inserted.
CREATE TABLE ledger_transaction (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  kind            text NOT NULL,
  source_id       text NOT NULL,
  posted_at       timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, kind, source_id)
);

CREATE TABLE ledger_posting (
  organization_id uuid NOT NULL,
  transaction_id  uuid NOT NULL,
  line            smallint NOT NULL,
  account         text NOT NULL,
  unit            text NOT NULL,
  amount          numeric(38, 12) NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (organization_id, transaction_id, line),
  FOREIGN KEY (organization_id, transaction_id) REFERENCES ledger_transaction (organization_id, id)
);
CREATE INDEX ledger_posting_by_account ON ledger_posting (organization_id, account, unit);
