import { type Ask, type FundingRequest, type Holding, type UnitHold, type UnitRequest, type Wallet } from '@kilotoken/funding';
import { SimulatedDatabase, type UsageRow } from './simulated-database.js';
import { SimulatedFunds } from './simulated-funds.js';
import { SimulatedGateway } from './simulated-gateway.js';
import type { Counts, SimulatedRequest } from './simulated-request.js';
import type { Parts } from './simulation.js';

/** Ways to get it wrong where several units pay a request: more of what `simulated-mutations.ts` lists. */
class KeepsTheSpareUnit extends SimulatedFunds {
  protected override giveBack(): void {}
}

/** The last run holds half of what the request could still cost. */
class HoldsOnlyTheRemainder extends SimulatedFunds {
  protected override onFunded(request: SimulatedRequest, holding: Holding): void {
    const { of } = holding.runs.at(-1)!;
    const { unit, hold } = holding.units[of]!;
    const part = hold.parts.at(-1);
    if (holding.runs.length < 2 || !part || part.amount < 2n) return super.onFunded(request, holding);
    const spare = part.amount / 2n;
    const kept = { unit, hold: { ...hold, total: hold.total - spare, parts: [...hold.parts.slice(0, -1), { ...part, amount: part.amount - spare }] } };
    this.releaseUnit(request.plan.organizationId, { unit, hold: { id: hold.id, total: spare, parts: [{ ...part, amount: spare }] } }, 0n);
    const last = holding.runs.length - 1;
    super.onFunded(request, {
      ...holding,
      units: holding.units.map((other, index) => (index === of ? kept : other)),
      runs: holding.runs.map((run, index) => (index === last ? { ...run, amount: run.amount - spare } : run)),
    });
  }
}

class ForgetsPendingRequests extends SimulatedFunds {
  protected override tellOldest(): void {}
}

/** A lease knows the request that asked for it, and no older one that is still being funded. */
class LeasesForgetPendingRequests extends SimulatedFunds {
  protected override askToSend({ waiters, lastRequestId }: Wallet, ask: Ask): Ask {
    return { ...ask, firstUsageId: waiters[0]?.id ?? lastRequestId };
  }
}

class TakesAnyPackForTheLast extends SimulatedFunds {
  protected override fundingRequest(request: SimulatedRequest): FundingRequest {
    const [first, ...others] = request.plan.units.map((unit): UnitRequest => ({ ...unit, covers: true }));
    return { ...request.plan, units: [first!, ...others] };
  }
}

/** Each unit's wallet is asked in the order of units, and what the first one holds is spent first. */
class BurnsUnitByUnit extends SimulatedFunds {
  protected override onFunded(request: SimulatedRequest, holding: Holding): void {
    const runs = holding.units.map(({ hold }, of) => ({ of, amount: hold.total })).reverse();
    super.onFunded(request, { ...holding, runs });
  }
}

class BelievesOldAnswers extends SimulatedFunds {
  protected override couldCover(run: Parameters<SimulatedFunds['couldCover']>[0], unit: UnitRequest): boolean {
    return super.couldCover({ ...run, startedAtMs: -Infinity }, unit);
  }
}

class GivesUpAtOnce extends SimulatedFunds {
  protected override couldCover(): boolean {
    return false;
  }
}

class ForgetsWhatASecondUnitPaid extends SimulatedFunds {
  protected override releaseUnit(organizationId: string, unit: UnitHold, charge: bigint): void {
    super.releaseUnit(organizationId, unit, unit.unit === 'USD' ? charge : 0n);
  }
}

class AllocatesAcrossUnits extends SimulatedGateway {
  protected override rowFor(request: SimulatedRequest, counts: Counts): UsageRow {
    const row = super.rowFor(request, counts);
    const units = [...row.charges.slice(1), ...row.charges.slice(0, 1)].map(({ unit }) => unit);
    const next = new Map(row.charges.map(({ unit }, index) => [unit, units[index]!]));
    return { ...row, allocations: row.allocations.map((part) => ({ ...part, unit: next.get(part.unit)! })) };
  }
}

class RefusesAsksOfEveryUnit extends SimulatedDatabase {
  protected override wasRefused(sessionId: string, organizationId: string, _unit: string, askId: string): boolean {
    return super.wasRefused(sessionId, organizationId, 'USD', askId);
  }
}

export const unitMutations: Readonly<Record<string, Parts>> = {
  'a spare unit that is not given back': { Funds: KeepsTheSpareUnit },
  'a last run that holds only a remainder': { Funds: HoldsOnlyTheRemainder },
  'wallets that do not know of requests that are still being funded': { Funds: ForgetsPendingRequests },
  'a reaper that overlooks a request that was still being funded': { Funds: LeasesForgetPendingRequests },
  'a pack of some classes that is taken for the last': { Funds: TakesAnyPackForTheLast },
  'units that burn one after another': { Funds: BurnsUnitByUnit },
  'a refusal for good on an old answer': { Funds: BelievesOldAnswers },
  'a refusal for good while something could come back': { Funds: GivesUpAtOnce },
  'a charge in a pack that is not taken from its hold': { Funds: ForgetsWhatASecondUnitPaid },
  'a charge that is allocated across units': { Gateway: AllocatesAcrossUnits },
  'a refused ask that is remembered for another unit': { Database: RefusesAsksOfEveryUnit },
};
