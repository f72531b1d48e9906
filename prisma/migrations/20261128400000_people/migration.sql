-- Why: people sign in, belong to organizations by a role, invite colleagues, and let machines act by tokens. Until now only `kt` and keys of
-- the gateway acted. Names and e-mail addresses stand in person and invitation alone, so that a person can be erased: every other row names a
-- person by id.
-- Locks: ACCESS EXCLUSIVE on organization for a moment: two columns, one with a constant default and one without, so no row is rewritten;
-- checking them and building the partial index reads the organizations once. All other tables are new.

-- ── Organizations ──────────────────────────────────────────────────────────────────────────────────────────────
-- `company` is the seller's own organization, of which there is one: its members are the staff.
ALTER TABLE organization
  ADD COLUMN kind text NOT NULL DEFAULT 'customer' CHECK (kind IN ('customer', 'company')),
  ADD COLUMN parent_id uuid REFERENCES organization (id),
  ADD CONSTRAINT organization_parent_check CHECK (parent_id <> id AND kind = 'customer' OR parent_id IS NULL);
CREATE UNIQUE INDEX organization_one_company ON organization (kind) WHERE kind = 'company';
CREATE INDEX organization_by_parent ON organization (parent_id) WHERE parent_id IS NOT NULL;

-- ── People ─────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE person (
  id                 uuid PRIMARY KEY,
  name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  email              text NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  email_verified     boolean NOT NULL DEFAULT false,
  image              text,
  locale             text NOT NULL DEFAULT 'en' CHECK (locale ~ '^[a-z]{2}(-[A-Za-z]{2,4})?$'),
  two_factor_enabled boolean NOT NULL DEFAULT false,
  created_at         timestamptz NOT NULL DEFAULT kt_now(),
  updated_at         timestamptz NOT NULL DEFAULT kt_now(),
  -- Signs in no more, and their sessions are refused; everything else stays.
  disabled_at        timestamptz,
  -- Name and address are gone.
  erased_at          timestamptz
);

CREATE TABLE membership (
  organization_id uuid NOT NULL REFERENCES organization (id),
  person_id       uuid NOT NULL REFERENCES person (id),
  role            text NOT NULL CHECK (role IN ('owner', 'developer', 'billing', 'viewer', 'admin', 'finance', 'support', 'sales_manager', 'seller')),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, person_id)
);
CREATE INDEX membership_by_person ON membership (person_id);

CREATE TABLE invitation (
  organization_id uuid NOT NULL REFERENCES organization (id),
  id              uuid NOT NULL,
  email           text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  role            text NOT NULL CHECK (role IN ('owner', 'developer', 'billing', 'viewer', 'admin', 'finance', 'support', 'sales_manager', 'seller')),
  -- SHA-256 of the secret in the link that is mailed.
  token_hash      bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  -- Null: an operator or a token invited.
  invited_by      uuid REFERENCES person (id),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  expires_at      timestamptz NOT NULL,
  accepted_at     timestamptz,
  accepted_by     uuid REFERENCES person (id),
  revoked_at      timestamptz,
  PRIMARY KEY (organization_id, id),
  CHECK (accepted_at IS NULL OR revoked_at IS NULL)
);

-- A machine's way in, with a role in one organization. Only the SHA-256 of its text is stored.
CREATE TABLE service_token (
  organization_id uuid NOT NULL REFERENCES organization (id),
  id              uuid NOT NULL,
  name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  prefix          text NOT NULL CHECK (length(prefix) BETWEEN 4 AND 20),
  hash            bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
  role            text NOT NULL CHECK (role IN ('owner', 'developer', 'billing', 'viewer', 'admin', 'finance', 'support', 'sales_manager', 'seller')),
  -- Null: all that the role may.
  permissions     text[] CHECK (cardinality(permissions) BETWEEN 1 AND 100),
  -- The person who made it; null: an operator or another token did.
  created_by      uuid REFERENCES person (id),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  expires_at      timestamptz NOT NULL,
  revoked_at      timestamptz,
  -- To the minute.
  last_used_at    timestamptz,
  PRIMARY KEY (organization_id, id)
);

-- ── Sign-in ────────────────────────────────────────────────────────────────────────────────────────────────────
-- better-auth reads and writes these by the names that libs/people maps. kilotoken_sign_in alone may.
CREATE TABLE sign_in_session (
  id                   uuid PRIMARY KEY,
  person_id            uuid NOT NULL REFERENCES person (id),
  -- Half of the cookie: the other half is its signature, which no row holds.
  token                text NOT NULL UNIQUE,
  created_at           timestamptz NOT NULL DEFAULT kt_now(),
  updated_at           timestamptz NOT NULL DEFAULT kt_now(),
  expires_at           timestamptz NOT NULL,
  ip_address           text,
  user_agent           text,
  -- The organization whose pages a member of the staff looks at.
  impersonating        uuid REFERENCES organization (id),
  impersonating_since  timestamptz,
  impersonating_reason text CHECK (length(impersonating_reason) BETWEEN 1 AND 500),
  CHECK ((impersonating IS NULL) = (impersonating_since IS NULL) AND (impersonating IS NULL) = (impersonating_reason IS NULL))
);
CREATE INDEX sign_in_session_by_person ON sign_in_session (person_id);
CREATE INDEX sign_in_session_by_end ON sign_in_session (expires_at);

-- How a person proves who they are: `credential` is a password (argon2id); single sign-on will add providers of its own.
CREATE TABLE credential (
  id                       uuid PRIMARY KEY,
  person_id                uuid NOT NULL REFERENCES person (id),
  provider_id              text NOT NULL,
  account_id               text NOT NULL,
  password                 text,
  access_token             text,
  refresh_token            text,
  id_token                 text,
  access_token_expires_at  timestamptz,
  refresh_token_expires_at timestamptz,
  scope                    text,
  created_at               timestamptz NOT NULL DEFAULT kt_now(),
  updated_at               timestamptz NOT NULL DEFAULT kt_now(),
  UNIQUE (provider_id, account_id)
);
CREATE INDEX credential_by_person ON credential (person_id);

-- Short-lived proofs: password resets and sign-ins that wait for their second factor. Identifiers are stored hashed.
CREATE TABLE sign_in_verification (
  id         uuid PRIMARY KEY,
  identifier text NOT NULL,
  value      text NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT kt_now(),
  updated_at timestamptz NOT NULL DEFAULT kt_now()
);
CREATE INDEX sign_in_verification_by_identifier ON sign_in_verification (identifier);
CREATE INDEX sign_in_verification_by_end ON sign_in_verification (expires_at);

-- The secret of an authenticator application and the recovery codes, both encrypted under KILOTOKEN_SECRET_KEY.
CREATE TABLE second_factor (
  id                        uuid PRIMARY KEY,
  person_id                 uuid NOT NULL UNIQUE REFERENCES person (id),
  secret                    text NOT NULL,
  backup_codes              text NOT NULL,
  verified                  boolean NOT NULL DEFAULT true,
  failed_verification_count integer NOT NULL DEFAULT 0,
  locked_until              timestamptz
);

-- Attempts in a window of time, by the SHA-256 of who tries: an address, or an address and an account. Never an account alone, so that nobody
-- can lock another one out.
CREATE TABLE sign_in_attempt (
  key        bytea PRIMARY KEY CHECK (octet_length(key) = 32),
  attempts   integer NOT NULL,
  started_at timestamptz NOT NULL DEFAULT kt_now(),
  ends_at    timestamptz NOT NULL
);
CREATE INDEX sign_in_attempt_by_end ON sign_in_attempt (ends_at);
