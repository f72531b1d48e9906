import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';

/**
 * The logins of the applications: roles that own nothing and have what their group was granted, so that row-level security holds for them and a
 * process can neither change the schema nor shift the clock. Each service has a group with what it needs (`prisma/roles`);
 * `kilotoken_app` has what gateway, metering and backoffice need together, for installations with one login.
 */

export const databaseServices = ['gateway', 'metering', 'backoffice', 'api'] as const;
export type DatabaseService = (typeof databaseServices)[number];

type Group = 'kilotoken_app' | 'kilotoken_auditor' | 'kilotoken_control' | `kilotoken_${DatabaseService}`;
const groups: ReadonlySet<string> = new Set(['kilotoken_app', 'kilotoken_auditor', 'kilotoken_control', 'kilotoken_definer', ...databaseServices.map((service) => `kilotoken_${service}`)]);
const CONNECT_MS_MAX = 10_000;
const STATEMENT_MS_MAX = 10_000;
/** Two processes that alter the same role at once fail with "tuple concurrently updated"; the number means nothing. */
const ROLE_ADVISORY_LOCK = 72707370;
const IDENTIFIER_BYTES_MAX = 63;
/** Postgres' own default; see `scram_iterations`. */
const SCRAM_ITERATIONS = 4096;

/** Roles belong to the cluster: the database's name in the role's keeps two installs in one cluster apart. */
export function appLoginName(databaseName: string): string {
  return loginName('kilotoken_', databaseName);
}

/** The login of one service. */
export function serviceLoginName(service: DatabaseService, databaseName: string): string {
  return loginName(`kilotoken_${service}_`, databaseName);
}

/** Of whoever proves the books, which is the nightly job alone. */
export function auditLoginName(databaseName: string): string {
  return loginName('kilotoken_audit_', databaseName);
}

/** Of the control plane: API, console and `kt`. */
export function controlLoginName(databaseName: string): string {
  return loginName('kilotoken_control_', databaseName);
}

function loginName(prefix: string, databaseName: string): string {
  const name = `${prefix}${databaseName}`;
  // A database named `app` or `gateway` must not make a group a login.
  if (Buffer.byteLength(name) <= IDENTIFIER_BYTES_MAX && !groups.has(name)) return name;
  return `${prefix}${createHash('sha256').update(databaseName).digest('hex').slice(0, 32)}`;
}

/**
 * Creates the login, or gives the existing one this password, and returns the `APP_DATABASE_URL`.
 * `ownerUrl` needs a role that may create roles and administers `kilotoken_app`.
 */
export function ensureAppLogin(ownerUrl: string, loginName: string, password: string): Promise<string> {
  return ensureLogin(ownerUrl, loginName, password, 'kilotoken_app');
}

/** The same for one service, with the rights that it needs and no other. */
export function ensureServiceLogin(ownerUrl: string, service: DatabaseService, loginName: string, password: string): Promise<string> {
  return ensureLogin(ownerUrl, loginName, password, `kilotoken_${service}`);
}

/** The same for `AUDIT_DATABASE_URL`: it reads what proofs of the books read, of all organizations, and changes nothing. */
export function ensureAuditLogin(ownerUrl: string, loginName: string, password: string): Promise<string> {
  return ensureLogin(ownerUrl, loginName, password, 'kilotoken_auditor');
}

/** The same for `CONTROL_DATABASE_URL`: it writes the control plane's tables, with an actor for every change. */
export function ensureControlLogin(ownerUrl: string, loginName: string, password: string): Promise<string> {
  return ensureLogin(ownerUrl, loginName, password, 'kilotoken_control');
}

async function ensureLogin(ownerUrl: string, loginName: string, password: string, group: Group): Promise<string> {
  const client = new pg.Client({
    connectionString: ownerUrl,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: STATEMENT_MS_MAX,
    application_name: 'kilotoken-migrate',
  });
  // A lost connection also rejects the running query; without a listener it would end the process besides.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [ROLE_ADVISORY_LOCK]);
    await writeLogin(client, loginName, password, group);
    await client.query('COMMIT');
  } finally {
    // Ending the session rolls back what a failure left open.
    await client.end();
  }
  const url = new URL(ownerUrl);
  url.username = encodeURIComponent(loginName);
  url.password = encodeURIComponent(password);
  return url.href;
}

async function writeLogin(client: pg.Client, loginName: string, password: string, group: Group): Promise<void> {
  const role = client.escapeIdentifier(loginName);
  const { rows } = await client.query<{ unbound: boolean }>(
    'SELECT rolsuper OR rolbypassrls AS unbound FROM pg_roles WHERE rolname = $1',
    [loginName],
  );
  if (rows.length === 0) await client.query(`CREATE ROLE ${role}`);
  assert(!rows[0]?.unbound, `The role ${loginName} is not bound by row-level security; applications must not log in with it.`);
  const verifier = client.escapeLiteral(scramVerifier(password));
  // SUPERUSER, REPLICATION and BYPASSRLS are off by default, and naming them would take a superuser.
  await client.query(`ALTER ROLE ${role} LOGIN INHERIT NOCREATEDB NOCREATEROLE PASSWORD ${verifier}`);
  await client.query(`GRANT ${group} TO ${role}`);
}

/**
 * Postgres' stored form of a password (RFC 5803, as `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`). Computed here so
 * that no statement contains the password itself, because a server may log statements.
 */
function scramVerifier(password: string): string {
  assert(/^[\x21-\x7e]+$/.test(password), 'Other characters would have to be normalized first (RFC 4013).');
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
