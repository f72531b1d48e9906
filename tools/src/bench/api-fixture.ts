import { randomBytes } from 'node:crypto';
import { createPerson, putMembership } from '@kilotoken/people';
import { createSignInPool } from '@kilotoken/people/sign-in';
import { createControlPool, createPool, operatorSession, type Actor } from '@kilotoken/platform';
import type pg from 'pg';
import { connect, startBenchDatabase, type BenchDatabase } from './database.js';
import { fillUsage } from './api-usage.js';
import type { BenchRun } from './run.js';
import { seedCatalogue, seedOrganizations } from './seed.js';

/**
 * The database of the comparison: organizations with people and sessions, and 90 days of usage. One organization is large: it has a fifth of all usage, 50 keys
 * in five projects, limits, three children, and an owner who signs in.
 */
export interface ApiFixture {
  readonly database: BenchDatabase;
  readonly organizationId: string;
  readonly email: string;
  readonly password: string;
  /** Some of the organization's requests, the newest first. */
  readonly requestIds: readonly string[];
}

export interface FixtureSize {
  readonly rows: number;
  readonly organizations: number;
}

export const usageDays = 90;
const largeKeys = 50;
const projects = 5;
const children = 3;
const models = ['bench-small', 'bench-medium', 'bench-large'];
const requestsAsked = 5_000;
const statementMsMax = 30 * 60_000;
const actor: Actor = { kind: 'system', id: 'bench', name: null };

export const startApiFixture = async ({ rows, organizations }: FixtureSize, { say, cleanup }: BenchRun): Promise<ApiFixture> => {
  const database = await startBenchDatabase({}, cleanup);
  const client = await connect(database.ownerUrl);
  const pool = createPool({ connectionString: database.ownerUrl, max: 3, applicationName: 'bench', statementTimeoutMs: statementMsMax });
  try {
    say(`storing ${organizations} organizations`);
    const priceBookId = await seedCatalogue(client, 'http://127.0.0.1:1/v1', models, usageDays + 1);
    await seedOrganizations(client, priceBookId, 1);
    const organizationId = (await pool.query<{ id: string }>('SELECT id FROM organization')).rows[0]!.id;
    await growLarge(pool, organizationId);
    await seedOrganizations(client, priceBookId, organizations - 1);
    await seedPeople(client);
    const { email, password } = await seedOwner(database.ownerUrl, organizationId);
    await fillUsage(pool, { organizationId, rows, days: usageDays, largeKeys }, say);
    const { rows: asked } = await pool.query<{ id: string }>("SELECT id FROM usage WHERE organization_id = $1 AND outcome = 'completed' ORDER BY id DESC LIMIT $2", [organizationId, requestsAsked]);
    return { database, organizationId, email, password, requestIds: asked.map(({ id }) => id) };
  } finally {
    await Promise.all([pool.end(), client.end()]);
  }
};

/** Children, projects, keys, limits and budgets beside the one project and key that every organization has. */
const growLarge = async (pool: pg.Pool, organizationId: string): Promise<void> => {
  await pool.query(
    `INSERT INTO organization (id, name, slug, account_root_id, price_book_id, parent_id)
     SELECT uuidv7(), 'Child ' || n, 'child-' || n, id, price_book_id, id FROM organization, generate_series(1, $2::integer) n WHERE id = $1`,
    [organizationId, children],
  );
  await pool.query("UPDATE project SET name = 'Project 0' WHERE organization_id = $1", [organizationId]);
  await pool.query("INSERT INTO project (organization_id, id, name) SELECT $1, uuidv7(), 'Project ' || n FROM generate_series(1, $2::integer - 1) n", [organizationId, projects]);
  await pool.query(
    `INSERT INTO api_key (organization_id, id, project_id, name, hash, prefix)
     SELECT $1, uuidv7(), p.ids[1 + n % cardinality(p.ids)], 'Key ' || n, sha256(n::text::bytea), 'kt_bench' FROM generate_series(1, $2::integer - 1) n,
       (SELECT array_agg(id ORDER BY name) AS ids FROM project WHERE organization_id = $1) p`,
    [organizationId, largeKeys],
  );
  await pool.query(
    `INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode)
     SELECT $1, uuidv7(), 'key', k.id, 'requests', 'count', 'rolling', 60000, 600, 'hard' FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM api_key WHERE organization_id = $1) k WHERE n % 5 = 0
     UNION ALL SELECT $1, uuidv7(), 'project', p.id, 'money', 'USD', 'month', 0, 1000, 'soft' FROM project p WHERE p.organization_id = $1
     UNION ALL SELECT $1, uuidv7(), 'organization', $1, 'money', 'USD', 'month', 0, 5000, 'hard'`,
    [organizationId],
  );
};

/** An owner of each organization, with a session and no password, without the audit entries that triggers would write for each. */
const seedPeople = async (owner: pg.Client): Promise<void> => {
  await owner.query(
    `SET session_replication_role = replica;
     CREATE TABLE bench_person AS SELECT o.id AS organization_id, uuidv7() AS id FROM organization o;
     INSERT INTO person (id, name, email, email_verified) SELECT id, 'Person ' || id, id || '@example.com', true FROM bench_person;
     INSERT INTO membership (organization_id, person_id, role) SELECT organization_id, id, 'owner' FROM bench_person;
     INSERT INTO sign_in_session (id, person_id, token, expires_at) SELECT uuidv7(), id, gen_random_uuid()::text, kt_now() + interval '7 days' FROM bench_person;
     SET session_replication_role = origin`,
  );
};

const seedOwner = async (ownerUrl: string, organizationId: string): Promise<{ email: string; password: string }> => {
  const settings = { connectionString: ownerUrl, max: 1, applicationName: 'bench' };
  const [control, signIn] = [createControlPool(actor, { ...settings, sessionOptions: operatorSession }), createSignInPool(settings, actor)];
  try {
    const [email, password] = ['owner@bench.example', randomBytes(15).toString('base64url')];
    const { id } = await createPerson(signIn, { email, name: 'Olivia Owner' }, password);
    await putMembership(control, { organizationId, personId: id, role: 'owner' });
    return { email, password };
  } finally {
    await Promise.all([control.end(), signIn.end()]);
  }
};
