import { Injectable } from '@nestjs/common';
import { chargeList, completionTokens, promptTokens } from '@kilotoken/contracts';
import { listGrantBalances, type LeaseService, type SessionService } from '@kilotoken/funding';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { asOrganization, createPool, type Db } from '@kilotoken/platform';
import { loadPriceVersion, type PriceVersion, rateUsage } from '@kilotoken/pricing';
import type { Pool } from 'pg';
import type { RunningRequests } from '../relay/running.service.js';
import type { Caller } from '../request/caller.js';
import { Refusal } from '../request/refusal.js';
import { findOpenRequest, listAttempts, type UsageView } from './generation.store.js';
import { countRead, createReadRates, createReadTurns, inTurn, readLimits } from './read-limits.js';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const priceVersionsMax = 1_000;

const tokensOf = ({ counts, estimated }: UsageView): object => ({
  prompt_tokens: promptTokens(counts),
  completion_tokens: completionTokens(counts),
  total_tokens: promptTokens(counts) + completionTokens(counts),
  by_class: counts,
  estimated,
});

/** Apart from those that look up keys: another customer's first request must not wait behind reads of accounts. */
const connectionsMax = 4;
const statementTimeoutMs = 5_000;

/** When to try again where the database is read by as many requests of the organization as may. */
const readAgainMs = 1_000;

const tooManyReads = (waitMs: number): Refusal =>
  new Refusal('rate_limit_exceeded', 'Too many reads of your account or models. Try again shortly.', null, {}, { 'retry-after': String(Math.ceil(waitMs / 1_000)), 'retry-after-ms': String(waitMs) });

/** What a customer may see of its own money: every grant, and every line of a request's arithmetic. */
@Injectable()
export class AccountService {
  private readonly pool: Pool;
  private readonly prices = new Map<string, PriceVersion>();
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

  /** `GET /v1/generations/{id}`: by the request id, also of a failed, an aborted or a running one. */
  async generation({ organizationId }: Caller, id: string): Promise<object> {
    const notFound = (): Refusal => new Refusal('not_found', `There is no generation '${id.slice(0, 64)}'.`);
    if (!uuid.test(id)) throw notFound();
    const found = await this.read(organizationId, async (db) => {
      const attempts = await listAttempts(db, organizationId, id);
      const last = attempts.at(-1);
      if (last) return this.describe(id, attempts, last, await this.priceVersion(db, last.price_version_id));
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

  private async priceVersion(db: Parameters<typeof loadPriceVersion>[0], id: string): Promise<PriceVersion> {
    const known = this.prices.get(id) ?? (await loadPriceVersion(db, id));
    if (!known) throw new Error(`usage names price version ${id}, which does not exist`);
    if (this.prices.size >= priceVersionsMax) this.prices.clear();
    this.prices.set(id, known);
    return known;
  }

  private describe(id: string, attempts: readonly UsageView[], last: UsageView, price: PriceVersion): object {
    const rating = rateUsage(last.counts, price.rates);
    const uncollected = parseMoney(last.rated) - parseMoney(last.charge);
    return {
      id,
      object: 'generation',
      model: last.model,
      status: last.outcome,
      finish_reason: last.finish_reason,
      usage: tokensOf(last),
      estimated: last.estimated,
      cost: formatMoney(parseMoney(last.charge)),
      cost_currency: last.unit,
      charges: chargeList([{ unit: last.unit, amount: parseMoney(last.charge) }]),
      hold: formatMoney(parseMoney(last.hold)),
      lines: rating.lines.map((line) => ({
        token_class: line.tokenClass,
        tokens: Number(line.tokens),
        amount: formatMoney(line.amount),
        per: Number(line.per),
        charge: formatMoney(line.charge),
      })),
      // What exceeds the hold is ours to bear: lines − not_charged = cost.
      not_charged: formatMoney(uncollected),
      price_version: last.price_version_id,
      allocations: last.allocations.map(({ grant, unit, tokens, amount }) => ({ grant, unit, tokens, amount })),
      attempts: attempts.map((attempt) => ({
        attempt: attempt.attempt,
        status: attempt.outcome,
        error: attempt.error_code,
        charge: formatMoney(parseMoney(attempt.charge)),
        dispatched_at: attempt.dispatched_at,
        first_token_at: attempt.first_token_at,
        finished_at: attempt.finished_at,
      })),
      times: {
        admitted_at: last.admitted_at,
        dispatched_at: last.dispatched_at,
        first_token_at: last.first_token_at,
        finished_at: last.finished_at,
        settled_at: last.settled_at,
      },
    };
  }
}

const describeRunning = (id: string, model: string, admittedMs: number): object => ({
  id,
  object: 'generation',
  model,
  status: 'running',
  usage: null,
  estimated: false,
  cost: null,
  cost_currency: null,
  charges: [],
  lines: [],
  allocations: [],
  attempts: [],
  times: { admitted_at: new Date(admittedMs) },
});
