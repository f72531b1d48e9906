import { Injectable } from '@nestjs/common';
import { completeReading, type TokenCounts, type UsageReading } from '@kilotoken/contracts';
import type { StreamState } from '@kilotoken/openai';
import type { HoldingService, LeaseService, SettlementService } from '@kilotoken/funding';
import type { Lane } from '@kilotoken/marketplace';
import { formatMoney } from '@kilotoken/money';
import type { Logger } from 'pino';
import type { Estimator } from '../counting/estimator.service.js';
import type { ReadRequest } from '../request/read-request.js';
import { excerptOf } from './excerpt.js';
import type { GatewayMetrics } from './gateway-metrics.js';
import { noCharge, type Charge } from '@kilotoken/usage';
import { chargeFor, chargesByUnit, estimatedOf, usageRowsJson, type Ending, type Generation } from './generation.js';
import type { RunningRequests } from './running.service.js';

/** Turns what a lane said into a charge, and a charge into committed rows. */
@Injectable()
export class EndingService {
  constructor(
    private readonly holdings: HoldingService,
    private readonly leases: LeaseService,
    private readonly settlement: SettlementService,
    private readonly running: RunningRequests,
    private readonly metrics: GatewayMetrics,
    private readonly estimator: Estimator,
    private readonly logger: Logger,
  ) {}

  /**
   * The charge of an answer: by the vendor's counts, at once, if it gave them; else by an estimate of the sent and delivered text,
   * for which another thread counts a long text. Without a state nothing was delivered.
   */
  chargeOf(generation: Generation, lane: Lane, request: ReadRequest, reading: UsageReading, state: StreamState | null): Charge | Promise<Charge> {
    if (isComplete(reading)) return chargeFor(generation, lane, reading.counts, false);
    const estimate = this.estimator.total(estimatedOf(generation, request), lane, state);
    if (estimate instanceof Promise) return estimate.then((counts) => chargeWith(generation, lane, reading, counts));
    return chargeWith(generation, lane, reading, estimate);
  }

  /** The charge of a running answer as far as it is known at once; null until its prompt has been counted. */
  chargeSoFar(generation: Generation, lane: Lane, request: ReadRequest, reading: UsageReading, state: StreamState): Charge | null {
    if (isComplete(reading)) return chargeFor(generation, lane, reading.counts, false);
    const estimate = this.estimator.soFar(estimatedOf(generation, request), lane, state);
    return estimate && chargeWith(generation, lane, reading, estimate);
  }

  /**
   * Says which fields of a usage were ignored. Where that left a side to be estimated the usage is kept in quarantine, for an
   * operator who talks to the vendor; a field that nobody misses is logged and counted, since a vendor may send it in every answer.
   */
  keepIgnored(generation: Generation, reading: UsageReading, usage: unknown): void {
    const { ignored, prompt, completion } = reading;
    if (ignored.length === 0) return;
    const { plan, id } = generation;
    this.metrics.invalidUsage(plan.model.id);
    this.logger.warn({ event: 'usage.ignored', requestId: id, model: plan.model.id, fields: ignored });
    if (prompt === 'missing' || completion === 'missing') this.quarantine(generation, ignored.join('; '), usage);
  }

  /** For every piece of an answer: a long one is counted while it comes, so that its text need not be kept. */
  countAhead(generation: Generation, lane: Lane, state: StreamState): void {
    this.estimator.absorb(state, lane.tokenizer, generation.caller.organizationId);
  }

  /** Resolves when the rows are committed and the rest of the hold is free again; rejects with `settlement_failed`. */
  end(generation: Generation, ending: Ending): Promise<void> {
    const { caller, holding } = generation;
    const release = (charge: Charge): void => {
      this.running.remove(generation);
      this.holdings.release(caller.organizationId, holding, chargesByUnit(generation, charge));
      generation.limits?.end({ ...ending.charge, portions: charge.portions });
    };
    const running = this.running.find(generation);
    if (running) running.ending = true;
    const { trace } = generation;
    trace?.settling(ending);
    return this.settlement.settle({
      organizationId: caller.organizationId,
      usageId: generation.id,
      attempt: generation.attempts.length - 1,
      json: usageRowsJson(generation, ending),
      traced: trace?.request.sampled === true,
      onCommitted: (flush) => {
        release(ending.charge);
        this.metrics.ended(generation, ending);
        trace?.settled(flush);
      },
      onQuarantined: () => release(noCharge),
    });
  }

  /** No lane answered: every attempt is recorded, nothing is charged. */
  endFailed(generation: Generation, status: number, errorCode: string, nowMs: number): Promise<void> {
    return this.end(generation, { outcome: 'upstream_failed', status, errorCode, finishReason: null, finishedMs: nowMs, charge: noCharge });
  }

  /**
   * A fault of ours ended it: nothing is charged. Where the database has an open row of it, the hold returns only when that is
   * closed: the reaper would bill it.
   */
  abandon(generation: Generation, nowMs: number): void {
    if (generation.opened) {
      const lost: Ending = { outcome: 'interrupted', status: 500, errorCode: 'internal_error', finishReason: null, finishedMs: nowMs, charge: noCharge };
      // Async, so that what it throws is a rejection too.
      const settle = async (): Promise<void> => this.end(generation, lost);
      settle().catch((error: unknown) => this.logger.warn({ event: 'request.abandon_failed', requestId: generation.id, error }));
      return;
    }
    this.running.remove(generation);
    this.holdings.release(generation.caller.organizationId, generation.holding);
    generation.limits?.end(noCharge);
  }

  /** The remaining balance as far as this gateway knows; null if it never asked, as for a free model. */
  balance({ caller, plan }: Generation): string | null {
    const balance = this.leases.balance({ organizationId: caller.organizationId, unit: plan.price.currency });
    return balance === null ? null : formatMoney(balance);
  }

  private quarantine(generation: Generation, reason: string, usage: unknown): void {
    const { caller, id, attempts } = generation;
    const raw = Buffer.from(JSON.stringify({ reason, usage: excerptOf(usage) }));
    this.settlement.quarantine(caller.organizationId, id, attempts.length - 1, 'vendor_usage', raw).catch((error: unknown) => {
      // The charge does not depend on it, and the log has said what was wrong.
      this.logger.warn({ event: 'usage.quarantine_failed', requestId: id, error });
    });
  }
}

const isComplete = ({ prompt, completion }: UsageReading): boolean => prompt === 'said' && completion === 'said';

const chargeWith = (generation: Generation, lane: Lane, reading: UsageReading, estimate: TokenCounts): Charge => {
  const { counts, estimated } = completeReading(reading, () => estimate);
  return chargeFor(generation, lane, counts, estimated);
};
