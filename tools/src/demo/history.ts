import { applyListings, loadCatalogue, type Catalogue } from '@kilotoken/marketplace';
import { changeAs, createPool, operatorSession, type Actor, type Keyring } from '@kilotoken/platform';
import { createControlClient, type ControlClient } from '@kilotoken/platform/prisma';
import { declarePackUnit, publishBurnTable } from '@kilotoken/pricing';
import type pg from 'pg';
import type { Logger } from 'pino';
import { StartInterrupted } from '../launcher/launcher-error.js';
import { openAccount, type Account } from './accounts.js';
import { DemoAlerts } from './alerts.js';
import { limitsOf } from './budgets.js';
import { demoCatalogue, demoPack, priceCut } from './catalogue.js';
import { DemoClock } from './clock.js';
import { drawCustomers, demoCustomerSlug, type Customer } from './customers.js';
import { DemoGateway } from './gateway.js';
import { Nightly } from './nightly.js';
import { DemoRandom } from './random.js';
import { stretchesOf } from './stretches.js';
import { readTraces } from './traces.js';
import { Traffic, type Outage, type Stretch } from './traffic.js';
import { Treasury } from './treasury.js';

/** The same plan makes the same amounts, counts and names, and the same usage ids. Other rows get new ids each time. */
export interface HistoryPlan {
  readonly seed: number;
  readonly days: number;
  readonly organizations: number;
  /** About so many. */
  readonly requests: number;
  /** The moment at which the history ends. */
  readonly untilMs: number;
  /** Where the worker will be. */
  readonly workerUrl: string;
  readonly release: string;
}

export interface HistoryLogins {
  readonly ownerUrl: string;
  readonly controlUrl: string;
  readonly gatewayUrl: string;
  readonly meteringUrl: string;
  readonly backofficeUrl: string;
}

export interface HistoryResult {
  readonly organizations: number;
  readonly requests: number;
  /** For want of funds. */
  readonly refused: number;
}

const dayMs = 86_400_000;
/** Before the first request everything has a price. */
const setUpMs = 3_600_000;
const startOf = ({ untilMs, days }: HistoryPlan): number => untilMs - days * dayMs;
/** A power cut ends the load, so its commits need not wait for the disk: the clock's release, the last one, does. The rollups of a day are added up in memory. */
const loadingOptions = '-c synchronous_commit=off -c work_mem=64MB';
const actor: Actor = { kind: 'system', id: 'demo', name: null };

export interface HistorySettings {
  readonly plan: HistoryPlan;
  readonly logins: HistoryLogins;
  /** Seals the secrets of webhooks, under the installation's key. */
  readonly keyring: Keyring;
  readonly logger: Logger;
  /** Ends the load, with a StartInterrupted. */
  readonly signal?: AbortSignal;
  /** Told of each day that is done. */
  readonly onDay: (day: number, result: HistoryResult) => void;
}

/** For the services of production, which open their own connections. */
const withLoadingOptions = (databaseUrl: string): string => {
  const url = new URL(databaseUrl);
  url.searchParams.set('options', `${url.searchParams.get('options') ?? ''} ${loadingOptions}`.trim());
  return url.href;
};

/** Loads a history into an empty database, and leaves its clock as it was whatever happens. */
export const loadHistory = async (settings: HistorySettings): Promise<HistoryResult> => {
  const { plan, logins } = settings;
  const owner = createPool({ connectionString: logins.ownerUrl, max: 1, applicationName: 'demo clock', sessionOptions: loadingOptions });
  const clock = new DemoClock(owner, startOf(plan) - setUpMs);
  const prisma = createControlClient(logins.controlUrl, actor, { applicationName: 'demo', sessionOptions: `${operatorSession} ${loadingOptions}` });
  try {
    await clock.moveTo(clock.nowMs());
    return await new History(settings, clock, prisma).load();
  } finally {
    await prisma.$disconnect();
    await clock.release().finally(() => owner.end());
  }
};

class History {
  private readonly random: DemoRandom;
  private readonly customers: readonly Customer[];
  private readonly traffic: Traffic;
  private readonly gateway: DemoGateway;
  private readonly nightly: Nightly;
  private readonly treasury: Treasury;
  private readonly alerts: DemoAlerts;
  private readonly pool: pg.Pool;
  private readonly accounts = new Map<number, Account>();
  private readonly outage: Outage;
  private catalogue!: Catalogue;

  constructor(
    private readonly settings: HistorySettings,
    private readonly clock: DemoClock,
    private readonly prisma: ControlClient,
  ) {
    const { plan, logins, logger } = settings;
    const startMs = startOf(plan);
    const [gatewayUrl, meteringUrl, backofficeUrl] = [logins.gatewayUrl, logins.meteringUrl, logins.backofficeUrl].map(withLoadingOptions) as [string, string, string];
    this.random = new DemoRandom(plan.seed);
    this.customers = drawCustomers(this.random.fork(), plan.organizations);
    const outageMs = startMs + Math.floor(plan.days * 0.74) * dayMs + 13 * 3_600_000;
    this.outage = { vendor: 'bluegrid', fromMs: outageMs, untilMs: outageMs + 2 * 3_600_000 };
    this.traffic = new Traffic({ customers: this.customers, startMs, untilMs: plan.untilMs, requests: plan.requests, outages: [this.outage] }, readTraces(), this.random.fork());
    this.gateway = new DemoGateway({ databaseUrl: gatewayUrl, clock, random: this.random.fork(), logger, release: plan.release });
    this.nightly = new Nightly({ meteringUrl, backofficeUrl, clock, logger });
    const spentBy = (organizationId: string): bigint => this.gateway.spent.get(`${organizationId} USD`) ?? 0n;
    this.treasury = new Treasury({ prisma, traffic: this.traffic, random: this.random.fork(), spentBy });
    this.alerts = new DemoAlerts({ controlUrl: logins.controlUrl, sessionOptions: loadingOptions, actor, keyring: settings.keyring });
    this.pool = createPool({ connectionString: gatewayUrl, max: 1, applicationName: 'demo catalogue' });
  }

  async load(): Promise<HistoryResult> {
    const { plan, onDay } = this.settings;
    try {
      await this.nightly.makePartitions();
      await this.publish(0);
      await this.clock.moveTo(startOf(plan));
      await this.gateway.start();
      for (let day = 0; day < plan.days; day += 1) {
        await this.begin(day);
        await this.pass(stretchesOf(this.clock.nowMs(), this.clock.nowMs() + dayMs, plan.untilMs));
        await this.end(day);
        onDay(day, this.result());
      }
      await this.gateway.close();
      await this.nightly.run({ prunes: true });
      await this.nightly.finish();
      return this.result();
    } finally {
      await Promise.all([this.gateway.stop(), this.nightly.stop(), this.alerts.stop(), this.pool.end()]);
    }
  }

  /** Requests come, wait for their answers and settle. While Postgres settles those of one stretch, those of the next are drawn. */
  private async pass(stretches: readonly Stretch[]): Promise<void> {
    let drafts = this.traffic.draw(stretches[0]!);
    for (const [index, { untilMs }] of stretches.entries()) {
      if (this.settings.signal?.aborted) throw new StartInterrupted();
      await this.clock.moveTo(untilMs);
      for (const draft of drafts) await this.gateway.admit(draft, this.accounts.get(draft.customer)!, this.catalogue);
      const settling = this.gateway.settleEnded();
      const next = stretches[index + 1];
      drafts = next ? this.traffic.draw(next) : [];
      await settling;
    }
  }

  private result(): HistoryResult {
    return { organizations: this.accounts.size, requests: this.gateway.served, refused: this.gateway.refused };
  }

  /** The morning: prices, new customers, payments. */
  private async begin(day: number): Promise<void> {
    const { plan } = this.settings;
    if (day === priceCut.day) await this.publish(day);
    const nowMs = this.clock.nowMs();
    for (const [index, customer] of this.customers.entries()) {
      if (this.accounts.has(index) || customer.joinsAt * plan.days >= day + 1) continue;
      const parent = [...this.accounts.values()].find((other) => other.customer.slug === customer.parent) ?? null;
      const account = await openAccount(this.prisma, customer, parent);
      this.accounts.set(index, account);
      await this.treasury.welcome(account, index, { parent, catalogue: this.catalogue, nowMs });
      const perMonth = this.treasury.perMonthOf(account, nowMs);
      await this.gateway.budgets.set(this.prisma, account, limitsOf(account, perMonth));
      await this.alerts.set(account, perMonth);
    }
    await this.treasury.topUp(nowMs);
  }

  private async publish(day: number): Promise<void> {
    await applyListings(this.prisma, 'console', demoCatalogue(this.settings.plan.workerUrl, day));
    if (day === 0) {
      await changeAs(this.prisma, null, async (db) => {
        await declarePackUnit(db, { unit: demoPack.unit });
        await publishBurnTable(db, { unit: demoPack.unit, modelId: demoPack.modelId, weights: demoPack.weights });
      });
    }
    this.catalogue = await loadCatalogue(this.pool);
  }

  /** The night: the books are brought up to date; once a week all leases go back, as when a gateway is replaced. */
  private async end(day: number): Promise<void> {
    const { plan } = this.settings;
    const isWeekOver = day % 7 === 6;
    await this.gateway.giveBack(isWeekOver);
    await this.nightly.run({ prunes: isWeekOver });
    if (isWeekOver) await this.correctAccounts(Math.floor(day / 7));
    const outageDay = Math.floor((this.outage.fromMs - this.clock.nowMs()) / dayMs);
    if (outageDay === -1) await this.treasury.compensate(this.accounts.values(), 'outage-bluegrid', this.clock.nowMs());
    if (day === Math.floor(plan.days * 0.8)) await this.treasury.promote(this.demoAccount(), 'qwen3-coder-480b', this.clock.nowMs());
  }

  /** One correction a week, of another customer each. */
  private async correctAccounts(week: number): Promise<void> {
    const account = this.accounts.get(1 + week * 2);
    if (!account) return;
    if (week % 2 === 0) await this.treasury.refund(account, '5');
    else await this.treasury.correct(account, '2.5');
  }

  private demoAccount(): Account {
    return [...this.accounts.values()].find(({ customer }) => customer.slug === demoCustomerSlug)!;
  }
}
