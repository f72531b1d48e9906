-- Why: a program that got no answer to a mutation sends it again under the same key, and it must be done once. The answer is kept with the key, sealed
-- under KILOTOKEN_SECRET_KEY, since it may hold a secret that is shown once.
-- Locks: nothing that exists; the table is new.
CREATE TABLE idempotent_mutation (
  actor_kind text NOT NULL CHECK (actor_kind IN ('person', 'token')),
  actor_id   text NOT NULL CHECK (length(actor_id) BETWEEN 1 AND 200),
  key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
  operation  text NOT NULL CHECK (length(operation) BETWEEN 1 AND 100),
  -- SHA-256 of the input.
  input_hash bytea NOT NULL CHECK (octet_length(input_hash) = 32),
  -- Null only inside the transaction that does it.
  answer     text,
  created_at timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (actor_kind, actor_id, key)
);
CREATE INDEX idempotent_mutation_by_time ON idempotent_mutation (created_at);
