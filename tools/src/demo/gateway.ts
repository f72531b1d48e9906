import { SessionService, SettlementService } from '@kilotoken/funding';
import type { Catalogue } from '@kilotoken/marketplace';
import type { Money } from '@kilotoken/money';
import { createIdMinter, createPool, type MintId } from '@kilotoken/platform';
import type { Reservation } from '@kilotoken/quota';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Account } from './accounts.js';
import { DemoBudgets } from './budgets.js';
import { demoPack } from './catalogue.js';
import type { DemoClock } from './clock.js';
import type { DemoRandom } from './random.js';
import type { Draft } from './traffic.js';
import { chargeOf, chargesOf, planDraft, usageRowsOf, type ServedRequest } from './usage-rows.js';
import { DemoWallets } from './wallets.js';

export interface GatewaySettings {
  readonly databaseUrl: string;
  readonly clock: DemoClock;
  readonly random: DemoRandom;
  readonly logger: Logger;
  readonly release: string;
}

/** No timer is to end while the history is loaded. */
const neverMs = 2 ** 31 - 1;
const yearMs = 365 * 86_400_000;
const rowsPerFlushMax = 500;
const connectionsMax = 2;

interface Running extends ServedRequest {
  /** Null: it is under no limit. */
  readonly reservation: Reservation | null;
}

/**
 * The gateway of the history: a session, leases and group commit as in production, without faces and vendors. Requests hold their worst case
 * when they are admitted and settle when they have ended.
 */
export class DemoGateway {
  private readonly pool: pg.Pool;
  private readonly session: SessionService;
  private readonly settlement: SettlementService;
  private readonly wallets: DemoWallets;
  private readonly mint: MintId;
  private running: Running[] = [];
  readonly budgets: DemoBudgets;
  served = 0;
  /** By its organization's balance, or by a limit. */
  refused = 0;
  /** Charges, by organization and unit. */
  readonly spent = new Map<string, Money>();

  constructor(private readonly settings: GatewaySettings) {
    const { databaseUrl, clock, logger, random, release } = settings;
    this.mint = createIdMinter(() => random.word());
    this.pool = createPool({ connectionString: databaseUrl, max: connectionsMax, applicationName: 'demo gateway' });
    this.session = new SessionService({ databaseUrl, beatMs: neverMs, sessionTtlMs: yearMs, pollMs: neverMs, snapshotAgeMsMax: yearMs, release }, clock, logger);
    const flushing = { entriesMax: rowsPerFlushMax, bytesMax: 4_000_000, pendingSettlesMax: neverMs, settleWaitMs: yearMs, failpoint: () => undefined };
    this.settlement = new SettlementService({ databaseUrl, ...flushing }, this.session, clock, logger);
    const common = { pool: this.pool, sessionId: this.session.id, nowMs: () => clock.nowMs(), mintId: () => this.mint(clock.nowMs()) };
    this.wallets = new DemoWallets({ ...common, settleEnded: () => this.settleEnded() });
    this.budgets = new DemoBudgets(common);
  }

  async start(): Promise<void> {
    await this.session.start();
    await this.settlement.start();
  }

  /** Admits a request, or refuses it for want of funds. */
  async admit(draft: Draft, account: Account, catalogue: Catalogue): Promise<void> {
    const planned = planDraft(draft, account, account.customer.hasPack ? [demoPack.unit] : [], catalogue);
    const id = this.mint(draft.admittedMs);
    const holding = await this.wallets.hold(account.organizationId, { id, model: draft.modelId }, planned.units);
    if (typeof holding === 'string') {
      this.refused += 1;
      return;
    }
    const reserved = await this.budgets.reserve(id, draft, account, holding);
    if (reserved === null) {
      this.refused += 1;
      for (const { unit, hold } of holding.units) this.wallets.release(account.organizationId, unit, hold, 0n);
      return;
    }
    this.running.push({ ...planned, id, draft, account, holding, reservation: reserved === 'unlimited' ? null : reserved });
  }

  /** Commits all requests that have ended by now. */
  async settleEnded(): Promise<void> {
    const nowMs = this.settings.clock.nowMs();
    const ended = this.running.filter(({ draft }) => draft.finishedMs <= nowMs);
    if (ended.length === 0) return;
    this.running = this.running.filter(({ draft }) => draft.finishedMs > nowMs);
    await Promise.all(ended.map((request) => this.settle(request)));
  }

  /** Gives leases back that are used up or expired, and slices of limits whose time is over; or all that is free. */
  async giveBack(all: boolean): Promise<void> {
    await this.wallets.giveBack(all);
    await this.budgets.giveBack(all);
  }

  /** Ends the session, as a gateway does that drains. */
  async close(): Promise<void> {
    if (this.running.length > 0) throw new Error(`${this.running.length} requests still run`);
    await this.giveBack(true);
    await this.session.close();
  }

  async stop(): Promise<void> {
    await Promise.all([this.session.stop(), this.settlement.stop(), this.pool.end()]);
  }

  private async settle(request: Running): Promise<void> {
    const { id, account, holding, reservation } = request;
    const charge = chargeOf(request);
    await this.settlement.settle({
      organizationId: account.organizationId,
      usageId: id,
      attempt: 0,
      json: usageRowsOf(request, charge),
      onCommitted: () => {
        this.served += 1;
        const charges = chargesOf(request, charge);
        holding.units.forEach(({ unit, hold }, of) => {
          this.wallets.release(account.organizationId, unit, hold, charges[of]!);
          const key = `${account.organizationId} ${unit}`;
          this.spent.set(key, (this.spent.get(key) ?? 0n) + charges[of]!);
        });
      },
      onQuarantined: () => undefined,
    });
    if (reservation) await this.budgets.end(account.organizationId, reservation, charge);
  }
}
