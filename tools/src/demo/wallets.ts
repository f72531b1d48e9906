import {
  cancelWait, chooseLegs, collectReturns, createWallet, holdingOf, receiveAnswer, releaseHold, requestHold, returnLeases, takeLeases, tickWallet,
  type Hold, type HoldRequest, type Holding, type Refusal, type UnitRequest, type Wallet, type WalletEffect, type WalletLimits,
} from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import type pg from 'pg';

/** The gateway's wallets with time standing still: each ask is answered before anything else happens. */
export interface WalletSettings {
  readonly pool: pg.Pool;
  readonly sessionId: string;
  readonly nowMs: () => number;
  readonly mintId: () => string;
  /** Commits the charges of requests that have ended, so that what is left of their holds is free. */
  readonly settleEnded: () => Promise<void>;
}

interface Purse {
  readonly organizationId: string;
  readonly unit: string;
  readonly wallet: Wallet;
  readonly answers: Map<string, Hold | Refusal>;
}

const limits: WalletLimits = { floorWaitMs: 60_000, floorWaiters: 1, idleLeaseMs: 7 * 86_400_000, idleLeaseNearFloorMs: 7 * 86_400_000, askAgainMs: 0 };
/** A gateway's asks cover some seconds of spend, which here would be one for each request: these cover a day or more. */
const spareFactor = 60n;

const isRefusal = (answer: Hold | Refusal): answer is Refusal => typeof answer === 'string';

export class DemoWallets {
  private readonly purses = new Map<string, Purse>();

  constructor(private readonly settings: WalletSettings) {}

  /** Holds a request's worst case in the units that may pay, as `HoldingService` does. */
  async hold(organizationId: string, { id, model }: Pick<HoldRequest, 'id' | 'model'>, units: readonly UnitRequest[]): Promise<Holding | Refusal> {
    const [first] = units;
    if (units.length === 1) {
      const { unit, want, least } = first!;
      const hold = await this.holdIn(organizationId, unit, { id, model, want, least });
      return isRefusal(hold) ? hold : holdingOf(unit, hold);
    }
    const holds: Hold[] = [];
    for (const { unit, want } of units) {
      const hold = await this.holdIn(organizationId, unit, { id, model, want, least: 0n, remainder: true });
      if (!isRefusal(hold)) holds.push(hold);
    }
    const chosen = holds.length === units.length ? chooseLegs(units, holds) : null;
    const spare = chosen?.spare ?? holds.map((hold, of) => ({ unit: units[of]!.unit, hold }));
    for (const { unit, hold } of spare) this.release(organizationId, unit, hold, 0n);
    return chosen?.holding ?? 'insufficient_quota';
  }

  /** The charge is committed: the rest of the hold is free again. */
  release(organizationId: string, unit: string, hold: Hold, charge: Money): void {
    const purse = this.purseOf(organizationId, unit);
    this.keepAnswers(purse, releaseHold(purse.wallet, hold, charge, this.settings.nowMs()));
  }

  /** Gives back leases that are used up or expired; `all`: whatever is free. */
  async giveBack(all: boolean): Promise<void> {
    const rows = [...this.purses.values()].flatMap(({ organizationId, wallet }) => {
      const recalled = new Set(all ? wallet.leases.map(({ id }) => id) : []);
      return collectReturns(wallet, recalled, this.settings.nowMs()).map((row) => ({ organizationId, ...row }));
    });
    if (rows.length > 0) await returnLeases(this.settings.pool, this.settings.sessionId, rows);
  }

  private async holdIn(organizationId: string, unit: string, request: HoldRequest): Promise<Hold | Refusal> {
    const purse = this.purseOf(organizationId, unit);
    const { wallet, answers } = purse;
    await this.perform(purse, requestHold(wallet, request, this.settings.mintId(), this.settings.nowMs()));
    if (!answers.has(request.id)) {
      await this.settings.settleEnded();
      await this.perform(purse, tickWallet(wallet, this.settings.mintId(), this.settings.nowMs()));
    }
    const answer = answers.get(request.id) ?? 'balance_held';
    if (!answers.delete(request.id)) cancelWait(wallet, request.id);
    return answer;
  }

  private async perform(purse: Purse, effects: readonly WalletEffect[]): Promise<void> {
    this.keepAnswers(purse, effects);
    for (const effect of effects) {
      if (effect.kind !== 'ask') continue;
      const { pool, sessionId, nowMs } = this.settings;
      const answer = await takeLeases(pool, sessionId, purse.organizationId, purse.unit, { ...effect.ask, spare: effect.ask.spare * spareFactor });
      await this.perform(purse, receiveAnswer(purse.wallet, answer, nowMs()));
    }
  }

  private keepAnswers({ answers }: Purse, effects: readonly WalletEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'admitted') answers.set(effect.hold.id, effect.hold);
      if (effect.kind === 'refused') answers.set(effect.id, effect.reason);
    }
  }

  private purseOf(organizationId: string, unit: string): Purse {
    const key = `${organizationId} ${unit}`;
    const known = this.purses.get(key) ?? { organizationId, unit, wallet: createWallet(limits, this.settings.nowMs()), answers: new Map<string, Hold | Refusal>() };
    this.purses.set(key, known);
    return known;
  }
}
