import { Injectable } from '@nestjs/common';
import { listGrantBalances, type LeaseService, type SessionService } from '@kilotoken/funding';
import { formatMoney } from '@kilotoken/money';
import { asOrganization, createPool, type Db } from '@kilotoken/platform';
import { loadBurnTable, loadPriceVersion, type BurnTable, type PriceVersion } from '@kilotoken/pricing';
import { burnTableIdsOf, type Pinned } from '@kilotoken/usage';
import type { Pool } from 'pg';
import type { RunningRequests } from '../relay/running.service.js';
import { readRequestId } from '../request/answer-id.js';
import type { Caller } from '../request/caller.js';
import { Refusal } from '../request/refusal.js';
import { describeGeneration, describeRunning } from './describe-generation.js';
import { findOpenRequest, listAttempts, type UsageView } from './generation.store.js';
import { countRead, createReadRates, createReadTurns, inTurn, readLimits } from './read-limits.js';

/** Of price versions and of burn tables, each. */
const versionsMax = 1_000;

/** Apart from those that look up keys: another customer's first request must not wait behind reads of accounts. */
const connectionsMax = 4;
const statementTimeoutMs = 5_000;

/** When to try again where the database is read by as many requests of the organization as may. */
const readAgainMs = 1_000;

const tooManyReads = (waitMs: number): Refusal =>
  new Refusal('rate_limit_exceeded', 'You read your account or models too often. Try again shortly.', null, {}, { 'retry-after': String(Math.ceil(waitMs / 1_000)), 'retry-after-ms': String(waitMs) });

/** Shows customers their own money: every grant, and every line of a request's arithmetic. */
@Injectable()
export class AccountService {
  private readonly pool: Pool;
  private readonly prices = new Map<string, PriceVersion>();
  private readonly burnTables = new Map<string, BurnTable>();
  private readonly rates = createReadRates(readLimits);
  private readonly turns = createReadTurns(readLimits);

  constructor(
    databaseUrl: string,
    private readonly session: SessionService,
    private readonly leases: LeaseService,
    private readonly running: RunningRequests,
  ) {
    this.pool = createPool({ connectionString: databaseUrl, max: connectionsMax, applicationName: 'gateway accounts', statementTimeoutMs });
  }

  async stop(): Promise<void> {
    await this.pool.end();
  }

  /** Counts a read of a key; throws a Refusal where there were too many. */
  countRead({ apiKeyId }: Caller): void {
    const waitMs = countRead(this.rates, apiKeyId, this.session.nowMs());
    if (waitMs > 0) throw tooManyReads(waitMs);
  }

  /**
   * `GET /v1/credits`. One snapshot of the database, with what this gateway's running requests hold from its memory;
   * requests at other gateways show as held once they have run for a second.
   */
  async credits({ organizationId }: Caller): Promise<object> {
    const held = this.leases.heldByGrant(organizationId);
    const balances = await this.read(organizationId, (db) => listGrantBalances(db, organizationId, this.session.id));
    const data = balances.map((grant) => {
      const used = grant.settled + grant.spentOpen;
      const left = grant.available + grant.leased - grant.spentOpen;
      const wanted = (held.get(grant.id) ?? 0n) + grant.heldElsewhere;
      // Memory and snapshot are a moment apart: a request that ended between them is in `used` already.
      const holding = wanted < left ? wanted : left;
      return {
        id: grant.id,
        source: grant.source,
        unit: grant.unit,
        granted: formatMoney(grant.granted),
        available: formatMoney(left - holding),
        held: formatMoney(holding),
        used: formatMoney(used),
        expires_at: grant.expiresAt?.toISOString() ?? null,
      };
    });
    return { object: 'list', data };
  }

  /** `GET /v1/generations/{id}`: by the request's id or its answer's, also of a failed, an aborted or a running one. */
  async generation({ organizationId }: Caller, asked: string): Promise<object> {
    const notFound = (): Refusal => new Refusal('not_found', `There is no generation '${asked.slice(0, 64)}'.`);
    const id = readRequestId(asked);
    if (id === null) throw notFound();
    const found = await this.read(organizationId, async (db) => {
      const attempts = await listAttempts(db, organizationId, id);
      const last = attempts.at(-1);
      if (last) return describeGeneration(id, attempts, last, await this.pinnedOf(db, last));
      const open = await findOpenRequest(db, organizationId, id);
      return open && describeRunning(id, open.model, open.admittedMs);
    });
    if (found) return found;
    const running = this.running.findById(id);
    if (running?.generation.caller.organizationId !== organizationId) throw notFound();
    return describeRunning(id, running.generation.plan.model.id, running.generation.admittedMs);
  }

  private read<Result>(organizationId: string, read: (db: Db) => Promise<Result>): Promise<Result> {
    const reading = inTurn(this.turns, organizationId, () => asOrganization(this.pool, organizationId, read));
    if (!reading) throw tooManyReads(readAgainMs);
    return reading;
  }

  private async pinnedOf(db: Db, last: UsageView): Promise<Pinned> {
    const id = last.price;
    const price = await this.remember(this.prices, id, () => loadPriceVersion(db, id));
    const burnTables = new Map<string, BurnTable>();
    for (const burnTableId of burnTableIdsOf(last)) {
      burnTables.set(burnTableId, await this.remember(this.burnTables, burnTableId, () => loadBurnTable(db, burnTableId)));
    }
    return { price, burnTables };
  }

  /** Published versions never change, so each is read once. */
  private async remember<Version>(versions: Map<string, Version>, id: string, load: () => Promise<Version | null>): Promise<Version> {
    const known = versions.get(id) ?? (await load());
    if (!known) throw new Error(`usage names ${id}, which was never published`);
    if (versions.size >= versionsMax) versions.clear();
    versions.set(id, known);
    return known;
  }
}
