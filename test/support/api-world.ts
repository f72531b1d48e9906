import { randomBytes, randomUUID } from 'node:crypto';
import { staffRoles, type CustomerRole, type Role, type Viewer } from '@kilotoken/access';
import type { PersistedOperations } from '../../apps/api/src/graphql/server/persisted-operations.js';
import { startTestApi, type TestApi } from './api.js';
import { RollupDatabase } from './rollup-database.js';

export const places = ['own', 'child', 'foreign'] as const;
export type PlaceName = (typeof places)[number];

/** An organization of the world. Every text of it that a reader could see holds its `marker`. */
export interface WorldOrganization {
  readonly id: string;
  readonly globalId: string;
  readonly slug: string;
  readonly marker: string;
  readonly projectId: string;
  readonly apiKeyId: string;
  readonly grantId: string;
  readonly requestId: string;
  readonly limitId: string;
  readonly budgetId: string;
  readonly endpointId: string;
  readonly personId: string;
  readonly transactionId: string;
  /** A key that was revoked. */
  readonly revokedKeyId: string;
}

export const idOf = (type: string, organizationId: string, id: string): string => Buffer.from(`${type}:${organizationId}:${id}`).toString('base64url');

/** Three customers, of which `own` pays for `child`, and the company; each with one of everything. */
export class ApiWorld {
  private constructor(
    readonly api: TestApi,
    readonly usage: RollupDatabase,
    readonly organizations: Readonly<Record<PlaceName, WorldOrganization>>,
    readonly companyId: string,
    readonly people: Readonly<Record<string, string>>,
    readonly laneId: string,
    readonly jobId: string,
  ) {}

  static async create(settings: Record<string, string> = {}, persisted?: PersistedOperations): Promise<ApiWorld> {
    const usage = await RollupDatabase.create();
    const made: Partial<Record<PlaceName, WorldOrganization>> = {};
    for (const place of places) made[place] = await addOrganization(usage, place);
    const organizations = made as Record<PlaceName, WorldOrganization>;
    // An organization is made a child; later it keeps its place, so the trigger that says so must stand aside.
    await usage.money.sql('ALTER TABLE organization DISABLE TRIGGER USER');
    await usage.money.sql('UPDATE organization SET parent_id = $1, account_root_id = $1 WHERE id = $2', [organizations.own.id, organizations.child.id]);
    await usage.money.sql('ALTER TABLE organization ENABLE TRIGGER USER');
    const [company] = await usage.money.sql<{ id: string }>(
      `INSERT INTO organization (id, name, slug, account_root_id, price_book_id, kind) SELECT i.id, 'The company', 'the-company', i.id, (SELECT id FROM price_book LIMIT 1), 'company' FROM (SELECT gen_random_uuid() AS id) i RETURNING id`,
    );
    const people: Record<string, string> = {};
    for (const role of staffRoles) people[role] = await addPerson(usage, company!.id, role, role);
    const [lane] = await usage.money.sql<{ id: string }>('SELECT id FROM lane LIMIT 1');
    const own = organizations.own.id;
    const [job] = await usage.money.sql<{ id: string }>("INSERT INTO outbox_job (organization_id, id, queue, key, payload, status, finished_at) VALUES ($1, uuidv7(), 'prune-events', 'a job', '{}', 'dead', kt_now()) RETURNING id", [own]);
    await usage.rate();
    await usage.rollUp();
    return new ApiWorld(await startTestApi({ database: usage.money.database, settings, ...(persisted ? { persisted } : {}) }), usage, organizations, company!.id, people, idOf('Lane', '', lane!.id), idOf('Job', own, job!.id));
  }

  /** A person with a role in `own`, or in the company. */
  person(role: Role, changes: Partial<Viewer> = {}): Viewer {
    const { own, child } = this.organizations;
    const isStaff = (staffRoles as readonly Role[]).includes(role);
    const memberships = [{ organizationId: isStaff ? this.companyId : own.id, role, descendantIds: isStaff ? [] : [child.id] }];
    return { kind: 'person', id: isStaff ? this.people[role]! : own.personId, memberships, permissions: null, impersonating: null, ...changes };
  }

  token(role: Role, changes: Partial<Viewer> = {}): Viewer {
    return this.person(role, { kind: 'token', ...changes });
  }

  /** A limit or budget more; answers its global id. */
  async addLimit(organizationId: string, type: 'Limit' | 'Budget'): Promise<string> {
    const terms = type === 'Limit' ? "'requests', 'count', 'rolling'" : "'money', 'USD', 'month'";
    const windowMs = type === 'Limit' ? 1_000 + Math.floor(Math.random() * 1_000_000) : 0;
    const [limit] = await this.usage.money.sql<{ id: string }>(
      `INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode) VALUES ($1, uuidv7(), 'organization', gen_random_uuid(), ${terms}, $2, 1000, 'soft') RETURNING id`,
      [organizationId, windowMs],
    );
    return idOf(type, organizationId, limit!.id);
  }

  /** An endpoint more; answers its global id. */
  async addEndpoint(organizationId: string): Promise<string> {
    const [endpoint] = await this.usage.money.sql<{ id: string }>('INSERT INTO webhook_endpoint (organization_id, id, url) VALUES ($1, uuidv7(), $2) RETURNING id', [organizationId, `https://${randomUUID()}.example.com/hook`]);
    return idOf('WebhookEndpoint', organizationId, endpoint!.id);
  }

  async addInvitation(organizationId: string): Promise<string> {
    const [invitation] = await this.usage.money.sql<{ id: string }>(
      "INSERT INTO invitation (organization_id, id, email, role, token_hash, expires_at) VALUES ($1, uuidv7(), 'guest@example.com', 'viewer', sha256($2), kt_now() + interval '1 day') RETURNING id",
      [organizationId, randomBytes(8)],
    );
    return idOf('Invitation', organizationId, invitation!.id);
  }

  async addApproval(organizationId: string): Promise<string> {
    const [approval] = await this.usage.money.sql<{ id: string }>(
      `WITH asking AS MATERIALIZED (SELECT set_config('kilotoken.actor', '{"kind":"person","id":"somebody"}', true))
       INSERT INTO approval (organization_id, id, kind, reference, payload, unit, amount, requested_by_kind, requested_by_id, expires_at)
       SELECT $1, uuidv7(), 'grant.issue', $2, '{}', 'USD', 5000, 'person', 'somebody', kt_now() + interval '1 day' FROM asking RETURNING id`,
      [organizationId, randomUUID()],
    );
    return idOf('Approval', organizationId, approval!.id);
  }

  async addToken(organizationId: string): Promise<string> {
    const [token] = await this.usage.money.sql<{ id: string }>(
      "INSERT INTO service_token (organization_id, id, name, prefix, hash, role, expires_at) VALUES ($1, uuidv7(), 'a token', 'kst_abcd', sha256($2), 'viewer', kt_now() + interval '1 day') RETURNING id",
      [organizationId, randomBytes(8)],
    );
    return idOf('ServiceToken', organizationId, token!.id);
  }

  async drop(): Promise<void> {
    await this.api.stop();
    await this.usage.money.drop();
  }
}

const addPerson = async (usage: RollupDatabase, organizationId: string, role: Role, marker: string): Promise<string> => {
  const id = randomUUID();
  await usage.money.sql('INSERT INTO person (id, name, email) VALUES ($1, $2, $3)', [id, `person ${marker}`, `${marker}-${randomBytes(3).toString('hex')}@example.com`]);
  await usage.money.sql('INSERT INTO membership (organization_id, person_id, role) VALUES ($1, $2, $3)', [organizationId, id, role]);
  return id;
};

const addOrganization = async (usage: RollupDatabase, place: PlaceName): Promise<WorldOrganization> => {
  const { money } = usage;
  const { organizationId: id, projectId, keys, grantIds } = await money.newTenant('100', '7');
  const marker = `${place}-marker`;
  const slug = `${place}-marker`;
  await money.sql('UPDATE organization SET name = $2, slug = $3 WHERE id = $1', [id, `organization ${marker}`, slug]);
  await money.sql('UPDATE project SET name = $2 WHERE organization_id = $1', [id, `project ${marker}`]);
  await money.sql('UPDATE api_key SET name = $2 WHERE organization_id = $1', [id, `key ${marker}`]);
  const owner: CustomerRole = 'owner';
  const personId = await addPerson(usage, id, owner, marker);
  const [limit] = await money.sql<{ id: string }>(
    `INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode) VALUES ($1, uuidv7(), 'key', $2, 'requests', 'count', 'rolling', 60000, 1000, 'soft') RETURNING id`,
    [id, keys[0]!.id],
  );
  const [budget] = await money.sql<{ id: string }>(
    `INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode) VALUES ($1, uuidv7(), 'project', $2, 'money', 'USD', 'month', 0, 50, 'hard') RETURNING id`,
    [id, projectId],
  );
  const [endpoint] = await money.sql<{ id: string }>('INSERT INTO webhook_endpoint (organization_id, id, url) VALUES ($1, uuidv7(), $2) RETURNING id', [id, `https://${marker}.example.com/hook`]);
  await money.sql("INSERT INTO invitation (organization_id, id, email, role, token_hash, invited_by, expires_at) VALUES ($1, uuidv7(), $2, 'viewer', sha256($3), $4, kt_now() + interval '1 day')", [id, `guest-${marker}@example.com`, randomBytes(8), personId]);
  await money.sql("INSERT INTO service_token (organization_id, id, name, prefix, hash, role, expires_at) VALUES ($1, uuidv7(), $2, 'kst_abcd', sha256($3), 'viewer', kt_now() + interval '1 day')", [id, `token ${marker}`, randomBytes(8)]);
  const now = Date.now();
  const at = (ago: number): Date => new Date(now - ago);
  const ids = await usage.put([0, 1, 2].map((index) => ({ settledAt: at(index * 60_000), admittedAt: at(index * 60_000 + 900), firstTokenAt: at(index * 60_000 + 500), charge: '2', counts: { input: 2 }, tags: { team: marker }, cost: '0.5' })));
  await money.sql("SELECT ledger_post($1, 'grant_issued', $2, '[{\"account\":\"cash_clearing\",\"unit\":\"USD\",\"amount\":\"1\"},{\"account\":\"grant_liability\",\"unit\":\"USD\",\"amount\":\"-1\"}]')", [id, `source ${marker}`]);
  const [revoked] = await money.sql<{ id: string }>(
    "INSERT INTO api_key (organization_id, id, project_id, name, hash, prefix, revoked_at) VALUES ($1, uuidv7(), $2, 'old key', sha256($3), 'kt_abcdef', kt_now()) RETURNING id",
    [id, projectId, randomBytes(8)],
  );
  const [posted] = await money.sql<{ id: string }>('SELECT id FROM ledger_transaction WHERE organization_id = $1 ORDER BY position DESC LIMIT 1', [id]);
  return {
    id, slug, marker, globalId: idOf('Organization', id, id), projectId: idOf('Project', id, projectId), apiKeyId: idOf('ApiKey', id, keys[0]!.id), grantId: idOf('Grant', id, grantIds[0]!),
    requestId: idOf('Request', id, ids[0]!), limitId: idOf('Limit', id, limit!.id), budgetId: idOf('Budget', id, budget!.id), endpointId: idOf('WebhookEndpoint', id, endpoint!.id), personId,
    transactionId: idOf('LedgerTransaction', id, posted!.id), revokedKeyId: idOf('ApiKey', id, revoked!.id),
  };
};
