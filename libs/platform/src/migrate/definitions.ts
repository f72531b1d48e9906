import { readFileSync } from 'node:fs';
import pg from 'pg';
import { readDefinitions, type Definition, type Definitions } from './definitions.files.js';
import { planRules } from './definitions.rules.js';
import { MigrationError } from './migrate.errors.js';

/**
 * Applies the files of `prisma/roles`, `functions` and `policies` that differ from the database, in one transaction after the migrations: roles,
 * functions, triggers and policies, and last the functions whose file is gone. A changed file replaces all that was said before: rights that it
 * does not grant are taken away.
 */

/** The changes to make; empty lists where the database is up to date. */
export interface DefinitionPlan {
  readonly roles: readonly Definition[];
  readonly functions: readonly Definition[];
  /** Of functions that have no file any more. */
  readonly dropped: readonly string[];
  readonly rules: readonly string[];
  /** Of files that are gone. */
  readonly forgotten: readonly string[];
}

interface Applied {
  readonly path: string;
  readonly checksum: string;
  readonly release: string;
}

const { version: RELEASE } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8')) as { version: string };
/**
 * Invalid function definition: a return type or the name of a parameter changed; ambiguous function: it got other parameters, and both are there.
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
const SIGNATURE_ERRORS: ReadonlySet<string | undefined> = new Set(['42P13', '42725']);
const createdFunction = /^CREATE (?:OR REPLACE )?FUNCTION (?:public\.)?(\w+)\(/gm;

/** @param migrations The texts of all migrations: a function that one of them made and that has no file goes. */
export async function planDefinitions(client: pg.Client, folder: string, migrations: readonly string[]): Promise<DefinitionPlan> {
  const definitions = await readDefinitions(folder);
  const applied = await readApplied(client);
  assertNotNewer(applied);
  const checksums = new Map(applied.map(({ path, checksum }) => [path, checksum]));
  const ours = functionsOf(definitions, applied, migrations);
  const paths = new Set([...definitions.roles, ...definitions.functions].map(({ path }) => path));
  const isChanged = ({ path, checksum }: Definition): boolean => checksums.get(path) !== checksum;
  return {
    roles: definitions.roles.filter(isChanged),
    functions: definitions.functions.filter(isChanged),
    dropped: await findExisting(client, ours.filter((name) => definitions.functions.every((file) => file.name !== name))),
    rules: await planRules(client, definitions.rules, ours),
    forgotten: applied.flatMap(({ path }) => (paths.has(path) ? [] : [path])),
  };
}

export const isEmptyPlan = (plan: DefinitionPlan): boolean => Object.values(plan).every((part: readonly unknown[]) => part.length === 0);

/** The plan's steps by name, for the log. */
export const describePlan = ({ roles, functions, dropped, rules }: DefinitionPlan): string[] => [
  ...[...roles, ...functions].map(({ path }) => path),
  ...dropped.map((name) => `${name} dropped`),
  ...rules,
];

/** In the caller's transaction. */
export async function applyDefinitions(client: pg.Client, { roles, functions, dropped, rules, forgotten }: DefinitionPlan): Promise<void> {
  // Functions call each other in circles, so a body is looked at when it is called.
  await client.query('SET LOCAL check_function_bodies = off');
  for (const role of roles) await applyRole(client, role);
  const { rows } = await client.query<{ able: boolean }>("SELECT pg_has_role(current_user, 'kilotoken_definer', 'SET') AS able");
  if (!rows[0]!.able) await client.query('GRANT kilotoken_definer TO CURRENT_USER WITH SET TRUE');
  await client.query('GRANT CREATE ON SCHEMA public TO kilotoken_definer');
  for (const definition of functions) await applyFunction(client, definition);
  await client.query('REVOKE CREATE ON SCHEMA public FROM kilotoken_definer');
  for (const statement of rules) await client.query(statement);
  for (const name of dropped) await client.query(`DROP FUNCTION ${name}`);
  await client.query('DELETE FROM applied_definition WHERE path = ANY ($1)', [forgotten]);
  for (const definition of [...roles, ...functions]) await remember(client, definition);
}

async function applyRole(client: pg.Client, { path, name, sql }: Definition): Promise<void> {
  const role = client.escapeIdentifier(name);
  // Roles belong to the cluster: another database of it may make the same one at the same moment.
  await client.query(`DO $$ BEGIN CREATE ROLE ${role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`);
  const { rows } = await client.query<{ relation: string }>(
    `SELECT DISTINCT c.oid::regclass::text AS relation FROM pg_class c
     CROSS JOIN LATERAL (SELECT c.relacl AS acl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = c.oid) held CROSS JOIN LATERAL aclexplode(held.acl) a
     WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = $1::regrole AND c.relkind <> 'S'`,
    [role],
  );
  await execute(client, path, `${rows.map(({ relation }) => `REVOKE ALL ON ${relation} FROM ${role};`).join(' ')} ${sql}`);
}

async function applyFunction(client: pg.Client, { path, name, sql }: Definition): Promise<void> {
  const { rows } = await client.query<{ reset: string | null }>(
    `SELECT format('ALTER FUNCTION %s OWNER TO CURRENT_USER; ', p.oid::regprocedure) || coalesce((
       SELECT string_agg(format('REVOKE ALL ON FUNCTION %s FROM %s; ', p.oid::regprocedure, a.grantee::regrole), '' ORDER BY a.grantee)
       FROM aclexplode(p.proacl) a WHERE a.grantee NOT IN (0, p.proowner, current_user::regrole)), '') AS reset
     FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname = $1`,
    [name],
  );
  await execute(client, path, `${rows[0]?.reset ?? ''}${sql}`);
  const { rows: after } = await client.query("SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = $1", [name]);
  if (after.length !== 1) throw changedSignature(path, name, after.length === 0 ? 'the file does not create it' : 'its parameters are others than those of the function that exists');
}

async function execute(client: pg.Client, path: string, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    if (SIGNATURE_ERRORS.has(error.code)) throw changedSignature(path, path.replace(/^.*\/|\.sql$/g, ''), error.message, error);
    const line = error.position ? ` at line ${sql.slice(0, Number(error.position)).split('\n').length}` : '';
    // A lock that could not be had stays recognizable: it is asked for again.
    error.message = `${path}${line}: ${error.message}`;
    throw error;
  }
}

const changedSignature = (path: string, name: string, reason: string, cause?: unknown): MigrationError =>
  new MigrationError(
    'definition_changed',
    `${path} does not redefine ${name}: ${reason}. Processes of the release before call it as it is, so a changed signature is a function with a new ` +
      'name; the old one moves to prisma/functions/previous (docs/operations/upgrading.md). Nothing was changed.',
    cause,
  );

async function remember(client: pg.Client, { path, checksum }: Definition): Promise<void> {
  await client.query(
    `INSERT INTO applied_definition (path, checksum, release) VALUES ($1, $2, $3)
     ON CONFLICT (path) DO UPDATE SET checksum = excluded.checksum, release = excluded.release, applied_at = excluded.applied_at`,
    [path, checksum, RELEASE],
  );
}

const readApplied = async (client: pg.Client): Promise<Applied[]> => (await client.query<Applied>('SELECT path, checksum, release FROM applied_definition')).rows;

const findExisting = async (client: pg.Client, names: readonly string[]): Promise<string[]> =>
  (await client.query<{ name: string }>("SELECT DISTINCT proname::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY ($1) ORDER BY 1", [names])).rows.map(({ name }) => name);

/** Others in the schema, as of extensions, are left alone. */
function functionsOf({ functions }: Definitions, applied: readonly Applied[], migrations: readonly string[]): string[] {
  const remembered = applied.flatMap(({ path }) => /^functions\/.*?(\w+)\.sql$/.exec(path)?.[1] ?? []);
  const made = migrations.flatMap((sql) => [...sql.matchAll(createdFunction)].map(([, name]) => name!));
  return [...new Set([...functions.map(({ name }) => name), ...remembered, ...made])];
}

function assertNotNewer(applied: readonly Applied[]): void {
  const newer = applied.find(({ release }) => release.localeCompare(RELEASE, 'en', { numeric: true }) > 0);
  if (!newer) return;
  throw new MigrationError(
    'database_newer',
    `The database has ${newer.path} of Kilotoken ${newer.release}, and this is ${RELEASE}. Run that version (or newer), or restore a backup taken ` +
      'before the upgrade. Nothing was changed.',
  );
}
