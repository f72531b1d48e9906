import { finishFlush, type Ask, type AskAnswer, type Flush, type ReturnRow } from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import { SimulatedDatabase, type AskedFor, type OpenRow, type SimulatedGrant, type SimulatedLease, type UsageRow } from './simulated-database.js';
import { SimulatedFunds } from './simulated-funds.js';
import { SimulatedGateway } from './simulated-gateway.js';
import { unitMutations } from './simulated-unit-mutations.js';
import type { Counts, SimulatedRequest } from './simulated-request.js';
import type { Parts } from './simulation.js';

/**
 * Ways to get it wrong, each one a mistake that somebody has made somewhere. The simulation is worth something because it
 * finds every one of them.
 */
class WithoutFence extends SimulatedDatabase {
  protected override fence(): void {}
}

class WithoutGuard extends SimulatedDatabase {
  protected override sliceOf(_grant: SimulatedGrant, left: Money): Money {
    return left;
  }
}

class ForgetsAsks extends SimulatedDatabase {
  protected override wasAsked(sessionId: string, organizationId: string, unit: string, askId: string): boolean {
    return this.wasRefused(sessionId, organizationId, unit, askId);
  }
}

class ForgetsRefusedAsks extends SimulatedDatabase {
  protected override wasRefused(): boolean {
    return false;
  }
}

class ForgetsOtherLeases extends SimulatedDatabase {
  override takeLeases(sessionId: string, organizationId: string, unit: string, ask: AskedFor): AskAnswer {
    return { ...super.takeLeases(sessionId, organizationId, unit, ask), leased: 0n };
  }
}

/** A return that says how much comes back, where it should say how much is kept. */
class ReturnsAmounts extends SimulatedDatabase {
  private readonly amounts = new WeakMap<ReturnRow, Money>();

  protected override returnedBy(lease: SimulatedLease, row: ReturnRow): Money {
    const amount = this.amounts.get(row) ?? super.returnedBy(lease, row);
    this.amounts.set(row, amount);
    return amount;
  }
}

class ReopensSettledRequests extends SimulatedDatabase {
  protected override mayOpen(row: OpenRow): boolean {
    return !this.isQuarantined(row);
  }
}

class ReopensQuarantinedRequests extends SimulatedDatabase {
  protected override isQuarantined(): boolean {
    return false;
  }
}

class ReaperForgetsOpenRequests extends SimulatedDatabase {
  protected override billedAtReap(): readonly UsageRow[] {
    return [];
  }
}

class ReaperForgetsWhatWasSpent extends SimulatedDatabase {
  protected override spentAtReap(): Money {
    return 0n;
  }
}

class ReaperReadsTooFewUsageRows extends SimulatedDatabase {
  protected override spentAtReap(lease: SimulatedLease): Money {
    return super.spentAtReap({ ...lease, firstUsageId: `${lease.firstUsageId}+` });
  }
}

class ReleasesBeforeCommit extends SimulatedGateway {
  protected override settle(request: SimulatedRequest, counts: Counts): void {
    super.settle(request, counts);
    this.release(request, request.charges);
  }

  protected override onCommitted(request: SimulatedRequest): void {
    this.finish(request, 'success');
  }
}

class TellsBeforeCommit extends SimulatedGateway {
  protected override settle(request: SimulatedRequest, counts: Counts): void {
    super.settle(request, counts);
    if (request.isComplete) this.around.ended(this, request, 'success');
  }
}

class MintsAsksAgain extends SimulatedFunds {
  protected override askAgain(ask: Ask): Ask {
    return { ...ask, id: this.owner.mintId() };
  }
}

class NumbersFlushesAgain extends SimulatedGateway {
  protected override flushAgain(flush: EntriesOf): EntriesOf {
    this.queue.lastNumber += 1n;
    const again = { ...flush, number: this.queue.lastNumber };
    this.queue.underWay = again;
    return again;
  }
}

class TakesUnknownForCommitted extends SimulatedGateway {
  protected override flushAgain(): null {
    return null;
  }
}

class TakesUnknownForFailed extends SimulatedGateway {
  protected override flushAgain(flush: EntriesOf): EntriesOf {
    for (const { request } of finishFlush(this.queue, flush)) {
      this.finish(request, 'error');
      this.release(request, null);
    }
    this.queue.underWay = { number: flush.number, entries: [] };
    return this.queue.underWay as EntriesOf;
  }
}

class LosesHalfOfABisectedFlush extends SimulatedGateway {
  protected override bisect(flush: EntriesOf): ReturnType<SimulatedGateway['bisect']> {
    const poison = super.bisect(flush);
    if (!poison) this.queue.bisected.splice(1, 1);
    return poison;
  }
}

class ClosesLeasesThatAreHeld extends SimulatedGateway {
  protected override returnsToSend(): readonly ReturnRow[] {
    return super.returnsToSend().map((row) => ({ ...row, close: true }));
  }
}

class ForgetsCharges extends SimulatedGateway {
  protected override release(request: SimulatedRequest): void {
    super.release(request, null);
  }
}

class ChargesWhatIsInQuarantine extends SimulatedGateway {
  protected override release(request: SimulatedRequest, charges: readonly Money[] | null): void {
    super.release(request, request.plan.isPoison ? (request.charges ?? charges) : charges);
  }
}

class AbandonsOpenRequests extends SimulatedGateway {
  override abandon(request: SimulatedRequest): void {
    if (request.state !== 'running') return;
    this.finish(request, 'error');
    this.release(request, null);
  }
}

class ForgetsWhoWaitsWhenItEnds extends SimulatedGateway {
  override end(): void {
    this.isEnded = true;
  }
}

type EntriesOf = Flush<NonNullable<ReturnType<SimulatedGateway['bisect']>>>;

export const mutations: Readonly<Record<string, Parts>> = {
  'a database without the fence': { Database: WithoutFence },
  'leases that are not guarded by what is available': { Database: WithoutGuard },
  'an ask that takes again when it is executed again': { Database: ForgetsAsks },
  'a refused ask that takes when it is executed late': { Database: ForgetsRefusedAsks },
  'an answer that leaves out what others have leased': { Database: ForgetsOtherLeases },
  'returns that say how much comes back': { Database: ReturnsAmounts },
  'a late checkpoint that opens a settled request': { Database: ReopensSettledRequests },
  'a late checkpoint that opens a request in quarantine': { Database: ReopensQuarantinedRequests },
  'a reaper that does not bill open requests': { Database: ReaperForgetsOpenRequests },
  'a reaper that gives spent money back': { Database: ReaperForgetsWhatWasSpent },
  'a reaper that overlooks the first request of a lease': { Database: ReaperReadsTooFewUsageRows },
  'a hold that is released before the commit': { Gateway: ReleasesBeforeCommit },
  'success that is told before the commit': { Gateway: TellsBeforeCommit },
  'an ask under a new id when it is executed again': { Funds: MintsAsksAgain },
  'a flush under a new number when it is executed again': { Gateway: NumbersFlushesAgain },
  'an unknown commit that is taken for done': { Gateway: TakesUnknownForCommitted },
  'an unknown commit that is taken for failed': { Gateway: TakesUnknownForFailed },
  'a bisected flush of which half is lost': { Gateway: LosesHalfOfABisectedFlush },
  'a lease that is closed while it is held': { Gateway: ClosesLeasesThatAreHeld },
  'a charge that is not taken from its hold': { Gateway: ForgetsCharges },
  'a charge for what is in quarantine': { Gateway: ChargesWhatIsInQuarantine },
  'an open request that is abandoned': { Gateway: AbandonsOpenRequests },
  'waiting requests that a dead session forgets': { Gateway: ForgetsWhoWaitsWhenItEnds },
  ...unitMutations,
};
