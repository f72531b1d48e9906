import { Injectable } from '@nestjs/common';
import type { SessionService } from '@kilotoken/funding';
import { createPool, mintId, sqlStateOf } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Failpoint } from '../failpoint.js';
import type { Caller } from '../request/caller.js';
import { Refusal } from '../request/refusal.js';
import { refuseClaim, type ClaimAnswer } from './idempotency.js';
import { bindClaim, claimKey, releaseClaim, type ClaimId } from './idempotency.store.js';

export interface IdempotencySettings {
  readonly databaseUrl: string;
  /** How long a key is remembered. */
  readonly keepMs: number;
}

/** A key that this request alone may be served under. */
export interface Claim {
  /** Names the request, once it holds its money. Rejects with a Refusal when it must not be dispatched. */
  bind(requestId: string): Promise<void>;
  /** Gives the key back: the request was refused, and nothing of it can be billed. Never rejects. */
  release(): Promise<void>;
}

/** Apart from reads and from money: keys of many customers must not keep either waiting. Opened when they are first used. */
const connectionsMax = 4;
const statementTimeoutMs = 5_000;
const claimsUnderWayMax = 1_000;
/** Of one organization: its claims must not keep those of others from being made. */
const claimsPerOrganizationMax = 100;
/** Longer than any request waits between its claim and its hold. */
const unboundMs = 120_000;
const releaseAgainMs = 1_000;
const unreleasedMax = 10_000;

const unavailable = (cause?: unknown): Refusal => new Refusal('service_unavailable', 'Idempotency keys cannot be checked at the moment. Try again shortly.', null, cause === undefined ? {} : { cause });

/** Claims keys in committed rows. Requests without the header never come here. */
@Injectable()
export class IdempotencyService {
  private readonly pool: Pool;
  private readonly timer: NodeJS.Timeout;
  private readonly unreleased = new Set<ClaimId>();
  private claimsUnderWay = 0;
  private readonly claimsOf = new Map<string, number>();
  private releasing = false;

  constructor(
    private readonly settings: IdempotencySettings,
    private readonly session: SessionService,
    private readonly failpoint: Failpoint,
    private readonly logger: Logger,
  ) {
    this.pool = createPool({ connectionString: settings.databaseUrl, max: connectionsMax, applicationName: 'gateway claims', statementTimeoutMs });
    this.timer = setInterval(() => void this.releaseLeft(), releaseAgainMs);
  }

  /** Rejects with a Refusal: `idempotency_conflict`, `idempotency_key_reused`, or `service_unavailable`. */
  async claim({ organizationId }: Caller, key: string, bodyHash: Buffer): Promise<Claim> {
    const others = this.claimsOf.get(organizationId) ?? 0;
    if (this.session.isEnded() || this.claimsUnderWay >= claimsUnderWayMax || others >= claimsPerOrganizationMax) throw unavailable();
    const id: ClaimId = { sessionId: this.session.id, organizationId, key, claimId: mintId(this.session.nowMs()) };
    let answer: ClaimAnswer;
    this.claimsUnderWay += 1;
    this.claimsOf.set(organizationId, others + 1);
    try {
      answer = await claimKey(this.pool, id, { bodyHash, keepMs: this.settings.keepMs, unboundMs });
    } catch (error) {
      // Nobody knows whether the row was written.
      this.fail('claim.failed', error);
      await this.release(id);
      throw unavailable(error);
    } finally {
      this.claimsUnderWay -= 1;
      const left = this.claimsOf.get(organizationId)! - 1;
      if (left > 0) this.claimsOf.set(organizationId, left);
      else this.claimsOf.delete(organizationId);
    }
    if (!answer.claimed) throw refuseClaim(answer);
    this.failpoint('after_claim');
    return this.holdOf(id);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.pool.end();
  }

  private holdOf(id: ClaimId): Claim {
    return {
      bind: async (requestId) => {
        if (!(await this.bind(id, requestId))) throw unavailable();
      },
      release: () => this.release(id),
    };
  }

  private async bind(id: ClaimId, requestId: string): Promise<boolean> {
    try {
      return await bindClaim(this.pool, id, requestId);
    } catch (error) {
      this.fail('claim.bind_failed', error);
      throw unavailable(error);
    }
  }

  /** Tried until it is done or the session has ended: a claim without a bill is over with its session. */
  private async release(id: ClaimId): Promise<void> {
    try {
      await releaseClaim(this.pool, id);
      this.unreleased.delete(id);
    } catch (error) {
      this.fail('claim.release_failed', error);
      if (this.unreleased.size < unreleasedMax) this.unreleased.add(id);
    }
  }

  private async releaseLeft(): Promise<void> {
    if (this.session.isEnded()) return this.unreleased.clear();
    if (this.releasing) return;
    this.releasing = true;
    for (const id of this.unreleased) {
      await this.release(id);
      // The database is still away: the others would fail too.
      if (this.unreleased.has(id)) break;
    }
    this.releasing = false;
  }

  private fail(event: string, error: unknown): void {
    const sqlState = sqlStateOf(error);
    if (sqlState === 'KT001') this.session.end();
    this.logger.warn({ event, sqlState, error });
  }
}
