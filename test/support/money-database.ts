import { randomUUID } from 'node:crypto';
import { type ControlPool, createControlPool, createPool, mintId, operatorSession } from '@kilotoken/platform';
import type pg from 'pg';
import { seedGrant, seedOrganization, seedTenant, type SeededTenant, type SeedGrant } from './cluster-seed.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from './postgres.js';
import { testActor } from './test-actor.js';

/**
 * The money functions of a real database, called as the application calls them: by its login, one statement each. Amounts
 * are decimal strings without trailing zeros. A token costs 1 USD here, so a charge is its number of input tokens.
 */
export interface AskedFor {
  id?: string;
  model?: string;
  unit?: string;
  need: string;
  least?: string;
  spare?: string;
  firstUsageId?: string;
}

export interface GrantedLease {
  leaseId: string;
  grantId: string;
  slice: string;
  models: string[] | null;
  rank: { priority: number; expiresAtMs: number | null; promotional: boolean; effectiveAtMs: number; createdAtMs: number };
}

export interface Answer {
  available: string;
  leased: string;
  leases: GrantedLease[];
}

export interface Return {
  lease: string;
  keep: string;
  close?: boolean;
  organization?: string;
}

export interface Usage {
  id?: string;
  attempt?: number;
  organization?: string;
  charge: number | string;
  hold?: string;
  rated?: string;
  counts?: object | null;
  estimated?: boolean;
  allocations?: { lease: string; grant: string; amount: string }[];
  opened?: boolean;
  outcome?: string;
  user?: string;
  cost?: string;
}

export interface GrantState {
  available: string;
  leased: string;
  settled: string;
  expired: string;
}

const MODEL = 'mock';
const CONNECTIONS_MAX = 24;

/** Of an error that Postgres answered. */
export const sqlStateFrom = async (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );

export class MoneyDatabase {
  private readonly tenants = new Map<string, SeededTenant>();
  /** The clock of gateways: ids and times of usage rows go by it. */
  clockMs: () => number = Date.now;

  private constructor(
    readonly database: TestDatabase,
    readonly owner: ControlPool,
    /** An operator's, as `kt` has it: it sees all organizations and writes as the control plane. */
    readonly control: ControlPool,
    readonly app: pg.Pool,
    /** The organization of the current test. */
    public tenant: SeededTenant,
    private readonly priceBookId: string,
  ) {}

  static async create(): Promise<MoneyDatabase> {
    const database = await createTestDatabase();
    const owner = createControlPool(testActor, { connectionString: database.ownerUrl, max: 4, applicationName: 'test owner' });
    const control = createControlPool(testActor, { connectionString: serviceUrl(database.appUrl, 'control'), max: 4, applicationName: 'test control', sessionOptions: operatorSession });
    const app = createPool({ connectionString: database.appUrl, max: CONNECTIONS_MAX, applicationName: 'test app' });
    const client = await owner.connect();
    try {
      const tenant = await seedTenant(client as unknown as pg.Client, {
        models: [{ model: MODEL, per: 1, sale: { input: '1' }, lanes: [{ baseUrl: 'http://127.0.0.1:1/v1' }] }],
      });
      const { rows } = await client.query<{ id: string }>('SELECT id FROM price_book');
      return new MoneyDatabase(database, owner, control, app, tenant, rows[0]!.id);
    } finally {
      client.release();
    }
  }

  async drop(): Promise<void> {
    await Promise.all([this.owner.end(), this.control.end(), this.app.end()]);
    await this.database.drop();
  }

  /** Another organization from here on, with these grants in their order. */
  async newTenant(...grants: (string | SeedGrant)[]): Promise<SeededTenant> {
    const client = await this.owner.connect();
    try {
      this.tenant = { ...(await seedOrganization(client as unknown as pg.Client, this.priceBookId, { grants })), priceVersionIds: this.tenant.priceVersionIds };
      this.tenants.set(this.tenant.organizationId, this.tenant);
    } finally {
      client.release();
    }
    return this.tenant;
  }

  /** Grants in a unit that is no currency need it. */
  async declarePackUnit(unit: string): Promise<void> {
    await this.owner.query('INSERT INTO pack_unit (unit) VALUES ($1)', [unit]);
  }

  async issue(grant: string | SeedGrant): Promise<string> {
    const client = await this.owner.connect();
    try {
      return await seedGrant(client as unknown as pg.Client, this.tenant.organizationId, grant);
    } finally {
      client.release();
    }
  }

  mintId(): string {
    return mintId(this.clockMs());
  }

  async newSession(): Promise<string> {
    const session = randomUUID();
    await this.app.query("SELECT session_open($1, 'gateway', 'here', 1, 'test', NULL)", [session]);
    return session;
  }

  async take(session: string, ask: AskedFor): Promise<Answer> {
    const { id = this.mintId(), model = MODEL, unit = 'USD', need, least = need, spare = '0', firstUsageId = this.mintId() } = ask;
    const { rows } = await this.app.query<{ answer: Answer }>('SELECT lease_take($1, $2, $3, $4, $5, $6, $7, $8, $9) AS answer', [
      session, this.tenant.organizationId, id, unit, model, need, least, spare, firstUsageId,
    ]);
    const { answer } = rows[0]!;
    return { available: trim(answer.available), leased: trim(answer.leased), leases: answer.leases.map((lease) => ({ ...lease, slice: trim(lease.slice) })) };
  }

  async giveBack(session: string, ...returns: Return[]): Promise<number> {
    const rows = returns.map(({ lease, keep, close = false, organization = this.tenant.organizationId }) => ({ organization, lease, keep, close }));
    return this.call('lease_return($1, $2)', [session, JSON.stringify(rows)]);
  }

  async settle(session: string, flush: number, ...rows: Usage[]): Promise<number> {
    return this.call('settle($1, $2, $3)', [session, flush, JSON.stringify(rows.map((row) => this.usageRow(row)))]);
  }

  async checkpoint(session: string, ...rows: (Usage & { id: string })[]): Promise<number> {
    const open = rows.map((row) => ({
      organization: row.organization ?? this.tenant.organizationId,
      id: row.id,
      holds: (row.allocations ?? []).map(({ lease, grant, amount }) => ({ lease, grant, amount })),
      settlement: [this.usageRow(row)],
    }));
    return this.call('checkpoint_requests($1, $2)', [session, JSON.stringify(open)]);
  }

  async quarantine(session: string, id: string, reason: string, raw = 'raw'): Promise<void> {
    await this.app.query('SELECT usage_quarantine_put($1, $2, $3, 0::smallint, $4, $5)', [session, this.tenant.organizationId, id, reason, Buffer.from(raw)]);
  }

  async reap(session: string): Promise<{ reaped: boolean; billed: number; leases: number }> {
    return this.call('session_reap($1)', [session]);
  }

  async expireGrants(): Promise<number> {
    return this.call('grants_expire(100)', []);
  }

  async poll(session: string): Promise<{ alive: boolean; recalled: { organizationId: string; leaseId: string }[] }> {
    return this.call('gateway_poll($1, 0)', [session]);
  }

  /** Moves the database's clock; production databases refuse it. */
  async shiftClock(interval: string): Promise<void> {
    await this.owner.query('UPDATE database_mark SET clock_shift = $1', [interval]);
  }

  async grant(id: string): Promise<GrantState> {
    const { rows } = await this.owner.query<GrantState>(
      `SELECT trim_scale(available)::text AS available, trim_scale(leased)::text AS leased, trim_scale(settled)::text AS settled, trim_scale(expired)::text AS expired
       FROM credit_grant WHERE id = $1`,
      [id],
    );
    return rows[0]!;
  }

  async lease(id: string): Promise<{ slice: string; settled: string | null; isClosed: boolean; isRecalled: boolean }> {
    const { rows } = await this.owner.query(
      `SELECT trim_scale(slice)::text AS slice, trim_scale(settled)::text AS settled, closed_at IS NOT NULL AS "isClosed", recalled_at IS NOT NULL AS "isRecalled"
       FROM lease WHERE id = $1`,
      [id],
    );
    return rows[0]!;
  }

  /** Rows of a statement as the owner. */
  async sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.owner.query<Row>(text, values)).rows;
  }

  usageRow(usage: Usage): object {
    const { id = this.mintId(), attempt = 0, organization = this.tenant.organizationId, charge, hold = '1000', rated = String(charge), allocations = [], opened = false } = usage;
    const { counts = { input: Number(charge) }, estimated = false, outcome = 'completed', user = null, cost = '0' } = usage;
    const { projectId, keys, priceVersionIds } = this.tenants.get(organization) ?? this.tenant;
    return {
      organization, id, attempt, root: organization, project: projectId, key: keys[0]!.id, user, operation: 'chat.completions', mode: 'realtime', stream: false,
      model: MODEL, tier_asked: 'auto', tier_served: 'standard', outcome, status: 200, counts, estimated, context: 1, max_tokens: 1,
      price: priceVersionIds[MODEL], unit: 'USD', hold, rated, charge: String(charge), allocations, cost, cost_currency: 'USD', offset_ms: 0, admitted: momentOf(id), finished: momentOf(id) + 1, opened,
    };
  }

  private async call<Result>(call: string, values: unknown[]): Promise<Result> {
    const { rows } = await this.app.query<{ result: Result }>(`SELECT ${call} AS result`, values);
    return rows[0]!.result;
  }
}

/** When a UUIDv7 was minted. */
const momentOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

const trim = (amount: string): string => (amount.includes('.') ? amount.replace(/\.?0+$/, '') : amount);
