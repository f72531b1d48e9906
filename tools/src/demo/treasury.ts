import { adjustGrant, issueGrant, listGrants, refundGrant, type GrantBalance, type NewGrant } from '@kilotoken/ledger';
import type { Catalogue } from '@kilotoken/marketplace';
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import { changeAs } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { rateUsage } from '@kilotoken/pricing';
import type { Account } from './accounts.js';
import { demoPack } from './catalogue.js';
import type { Funding } from './customers.js';
import type { DemoRandom } from './random.js';
import { endow, keepInFunds, receivedBy } from './subsidiaries.js';
import type { Traffic } from './traffic.js';
import { planDraft } from './usage-rows.js';

/** Packages for sale, in USD. */
const packages = ['5', '10', '15', '20', '30', '40', '50', '75', '100', '150', '200', '300', '400', '500', '750', '1000', '1500', '2000', '3000', '5000'].map(parseMoney);
const packAmounts = ['1000000', '5000000', '20000000', '50000000'];
const dayMs = 86_400_000;
const sampledRequests = 200;

/** For how many days a package is bought, and with how many days left the next one. */
const habits: Readonly<Record<Funding, { readonly days: bigint; readonly againDays: bigint }>> = {
  tops_up: { days: 30n, againDays: 7n },
  runs_low: { days: 10n, againDays: 4n },
  runs_out: { days: 55n, againDays: 0n },
};

interface Books {
  readonly account: Account;
  /** An average request's charge, by the list. */
  readonly meanCharge: Money;
  /** The parent that pays it; null: it pays for itself. */
  readonly parent: Account | null;
  /** Packages so far, without promotions: customers buy with caution. */
  bought: Money;
  orders: number;
}

export interface TreasurySettings {
  readonly prisma: ControlClient;
  readonly traffic: Traffic;
  readonly random: DemoRandom;
  /** USD that an organization has spent. */
  readonly spentBy: (organizationId: string) => Money;
}

/** Customers buy packages before they run out, or forget to; the company gives promotions, refunds and corrects. */
export class Treasury {
  private readonly books = new Map<string, Books>();

  constructor(private readonly settings: TreasurySettings) {}

  /** A new customer's first package, or its parent's first transfer; some get a credit to begin with, some a token pack. */
  async welcome(account: Account, index: number, { parent, catalogue, nowMs }: { readonly parent: Account | null; readonly catalogue: Catalogue; readonly nowMs: number }): Promise<void> {
    const { random, traffic } = this.settings;
    const books: Books = { account, meanCharge: this.meanChargeOf(account, index, catalogue, nowMs), parent, bought: 0n, orders: 0 };
    this.books.set(account.organizationId, books);
    if (random.chance(0.5)) await this.issue(account, { unit: 'USD', amount: '5', source: 'promotion', reference: 'welcome', priority: 50, expiresAt: new Date(nowMs + 30 * dayMs) });
    if (account.customer.hasPack) {
      const tokens = traffic.expectedPerDay(account.customer, nowMs) * 30 * 2_500;
      const amount = packAmounts.find((pack) => Number(pack) >= tokens) ?? packAmounts.at(-1)!;
      await this.issue(account, { unit: demoPack.unit, amount, source: 'package', reference: 'pack-1', priority: 60, scopeModels: [demoPack.modelId], expiresAt: new Date(nowMs + 120 * dayMs) });
    }
    const first = await this.buy(parent ? this.books.get(parent.organizationId)! : books, this.wantedBy(books, nowMs));
    if (!parent) return;
    await endow(this.settings.prisma, parent, account, first);
    await keepInFunds(this.settings.prisma, parent, account, this.perDayOf(books, nowMs));
  }

  /** USD a month that a customer expects to spend. */
  perMonthOf({ organizationId }: Account, nowMs: number): Money {
    return this.perDayOf(this.books.get(organizationId)!, nowMs) * 30n;
  }

  /** Customers who are about to run out buy again, if that is their habit. */
  async topUp(nowMs: number): Promise<void> {
    for (const books of this.books.values()) {
      const { account, parent } = books;
      if (parent) continue;
      const subsidiaries = [...this.books.values()].filter((other) => other.parent?.organizationId === account.organizationId);
      let left = books.bought - this.settings.spentBy(account.organizationId);
      for (const subsidiary of subsidiaries) left -= await receivedBy(this.settings.prisma, subsidiary.account);
      const perDay = [books, ...subsidiaries].reduce((sum, each) => sum + this.perDayOf(each, nowMs), 0n);
      if (left < perDay * habits[account.customer.funding].againDays) await this.buy(books, this.wantedBy(books, nowMs));
    }
  }

  /** A credit for one model, to try it. */
  async promote(account: Account, modelId: string, nowMs: number): Promise<void> {
    await this.issue(account, { unit: 'USD', amount: '20', source: 'promotion', reference: `try-${modelId}`, priority: 40, scopeModels: [modelId], expiresAt: new Date(nowMs + 14 * dayMs) });
  }

  /** After an outage: a credit for all who were there. */
  async compensate(accounts: Iterable<Account>, reference: string, nowMs: number): Promise<void> {
    for (const account of accounts) await this.issue(account, { unit: 'USD', amount: '2.50', source: 'sla_credit', reference, expiresAt: new Date(nowMs + 60 * dayMs) });
  }

  /** Part of a package goes back to its buyer, where so much is there. */
  async refund(account: Account, amount: string): Promise<boolean> {
    return this.change(account, async (db, grant) => {
      await refundGrant(db, { ...grant, amount, reference: 'refund-1', reason: 'Bought twice by mistake' });
      return -parseMoney(amount);
    }, parseMoney(amount));
  }

  async correct(account: Account, amount: string): Promise<boolean> {
    return this.change(account, async (db, grant) => {
      await adjustGrant(db, { ...grant, amount, reference: 'goodwill-1', reason: 'Goodwill after slow answers over a weekend' });
      return parseMoney(amount);
    });
  }

  private wantedBy(books: Books, nowMs: number): Money {
    return this.perDayOf(books, nowMs) * habits[books.account.customer.funding].days;
  }

  /** Buys the smallest package that covers an amount, or the largest one. */
  private async buy(books: Books, wanted: Money): Promise<GrantBalance> {
    const { account } = books;
    const amount = packages.find((size) => size >= wanted) ?? packages.at(-1)!;
    books.orders += 1;
    books.bought += amount;
    return this.issue(account, { unit: 'USD', amount: formatMoney(amount), source: books.orders === 1 ? 'package' : 'prepaid', reference: `order-${books.orders}` });
  }

  /** USD a day that a customer expects to spend. */
  private perDayOf({ account, meanCharge }: Books, nowMs: number): Money {
    return meanCharge * BigInt(Math.ceil(this.settings.traffic.expectedPerDay(account.customer, nowMs)));
  }

  private meanChargeOf(account: Account, index: number, catalogue: Catalogue, nowMs: number): Money {
    let sum = 0n;
    for (let count = 0; count < sampledRequests; count += 1) {
      const draft = this.settings.traffic.drawOne(index, nowMs);
      sum += rateUsage(draft.counts, planDraft(draft, account, [], catalogue).price.rates).total;
    }
    return sum / BigInt(sampledRequests);
  }

  private async issue({ organizationId }: Account, grant: Omit<NewGrant, 'organizationId'>): Promise<GrantBalance> {
    return changeAs(this.settings.prisma, organizationId, (db) => issueGrant(db, { organizationId, ...grant }));
  }

  /** Changes the customer's latest paid grant, of which `least` has to be available; false where none has it. */
  private async change(account: Account, change: (db: Parameters<typeof refundGrant>[0], grant: { organizationId: string; grantId: string }) => Promise<Money>, least = 0n): Promise<boolean> {
    const { organizationId } = account;
    return changeAs(this.settings.prisma, organizationId, async (db) => {
      const grant = (await listGrants(db, organizationId)).findLast(({ unit, source, available }) => unit === 'USD' && ['package', 'prepaid'].includes(source) && available >= least);
      if (!grant) return false;
      this.books.get(organizationId)!.bought += await change(db, { organizationId, grantId: grant.id });
      return true;
    });
  }
}
