import type { Holding } from '@kilotoken/funding';
import { formatMoney, type Money } from '@kilotoken/money';
import type { ControlClient } from '@kilotoken/platform/prisma';
import {
  cancelRequest, createQuota, endReservation, exchangeLimits, listLimits, receiveStates, recallAll, requestReservation, setLimit, tickQuota, usedOf, whole,
  type Amount, type Limit, type Need, type NewLimit, type Quota, type QuotaEffect, type QuotaTimes, type Reservation,
} from '@kilotoken/quota';
import type { Charge } from '@kilotoken/usage';
import type pg from 'pg';
import type { Account } from './accounts.js';
import { wholeCents, wholeDollars } from './subsidiaries.js';
import type { Draft } from './traffic.js';

const weekMs = 7 * 86_400_000;
/** Slices stay with the gateway until their window is over. `shortMs` is never zero: a limit that is reached would be asked for without an end. */
const times: QuotaTimes = {
  waitMs: 60_000, answerMs: 60_000, askAgainMs: 100, shortMs: 3_600_000, returnMs: 0, idleMs: weekMs, idleNearLimitMs: weekMs, forgetMs: weekMs, rowsMax: 200, restMs: weekMs, countersMax: 20_000, waitersMax: 1,
};
/** As for leases: a slice covers a day or so. */
const spareFactor = 30n;
const roundsMax = 20;

export interface BudgetSettings {
  readonly pool: pg.Pool;
  readonly sessionId: string;
  readonly nowMs: () => number;
  readonly mintId: () => string;
}

/** The limits that a customer has set itself; `perMonth`: what it is expected to spend. */
export const limitsOf = ({ organizationId, customer, keys }: Account, perMonth: Money): NewLimit[] => {
  const usd = (amount: Money, mode: 'hard' | 'soft', subject: NewLimit['subject'] = { kind: 'organization' }, window: 'week' | 'month' = 'month'): NewLimit => ({
    organizationId, subject, measure: 'money', currency: 'USD', window, mode, amount: formatMoney(window === 'week' ? wholeCents(amount) : wholeDollars(amount)),
  });
  if (customer.slug !== 'demo') return customer.hasBudget ? [usd(perMonth * 2n, 'hard')] : [];
  const continuousIntegration = customer.projects.flatMap((project) => project.keys).findIndex(({ name }) => name === 'continuous-integration');
  return [
    usd(perMonth * 4n, 'hard'),
    usd(perMonth / 4n, 'soft', { kind: 'project', project: 'research' }),
    // About what it spends: alerts of 50, 80 and 100 % are reached in most weeks.
    usd(perMonth / 25n, 'soft', { kind: 'project', project: 'code-review' }, 'week'),
    { organizationId, subject: { kind: 'key', keyId: keys[continuousIntegration]!.id }, measure: 'requests', window: 'day', amount: '60', mode: 'hard' },
    { organizationId, subject: { kind: 'organization' }, measure: 'tokens', window: 'day', amount: '40000000', mode: 'soft' },
  ];
};

interface Limited {
  readonly quota: Quota;
  readonly limits: readonly Limit[];
  readonly outcomes: Map<string, Reservation | null>;
}

/** The gateway's slices of limits, with time standing still: each exchange is answered before anything else happens. */
export class DemoBudgets {
  private readonly organizations = new Map<string, Limited>();

  constructor(private readonly settings: BudgetSettings) {}

  async set(prisma: ControlClient, { organizationId }: Account, limits: readonly NewLimit[]): Promise<void> {
    if (limits.length === 0) return;
    for (const limit of limits) await setLimit(prisma, limit);
    this.organizations.set(organizationId, { quota: createQuota(times), limits: await listLimits(prisma, organizationId), outcomes: new Map() });
  }

  /** Null where a limit refuses the request; `unlimited` where there is none. */
  async reserve(id: string, draft: Draft, account: Account, holding: Holding): Promise<Reservation | 'unlimited' | null> {
    const limited = this.organizations.get(account.organizationId);
    if (!limited) return 'unlimited';
    const key = account.keys[draft.key]!;
    const applying = limited.limits.filter(({ subjectKind, subjectId }) => subjectKind === 'organization' || subjectId === key.projectId || subjectId === key.id);
    const needs = applying.map((limit): Need => {
      const want = wantOf(limit, draft, holding);
      return { limit, subject: limit.subjectId, want, least: want };
    });
    await this.perform(account.organizationId, limited, requestReservation(limited.quota, { id, needs }, this.settings.mintId(), this.settings.nowMs()));
    const outcome = limited.outcomes.get(id) ?? null;
    if (!limited.outcomes.delete(id)) cancelRequest(limited.quota, id);
    return outcome;
  }

  /** The charge is committed: the rest of what was reserved is free again. */
  async end(organizationId: string, reservation: Reservation, charge: Charge): Promise<void> {
    const limited = this.organizations.get(organizationId)!;
    await this.perform(organizationId, limited, endReservation(limited.quota, reservation, usedOf(charge), this.settings.nowMs()));
  }

  /** Gives back slices of windows that are over, or all of them. */
  async giveBack(all: boolean): Promise<void> {
    for (const [organizationId, limited] of this.organizations) {
      // A slice that was used is closed once nobody has used it for a while: for a gateway that ends, that while is over.
      const nowMs = this.settings.nowMs() + (all ? times.forgetMs : 0);
      if (all) recallAll(limited.quota);
      // An exchange holds so many rows at most.
      for (let rounds = 0; rounds === 0 || (all && limited.quota.size > 0 && rounds < roundsMax); rounds += 1) {
        await this.perform(organizationId, limited, tickQuota(limited.quota, this.settings.mintId(), nowMs));
      }
    }
  }

  private async perform(organizationId: string, limited: Limited, effects: readonly QuotaEffect[]): Promise<void> {
    for (const effect of effects) {
      if (effect.kind === 'reserved') limited.outcomes.set(effect.reservation.id, effect.reservation);
      else if (effect.kind === 'exchange') {
        const { pool, sessionId, mintId, nowMs } = this.settings;
        const rows = effect.exchange.rows.map((row) => ({ ...row, spare: row.spare * spareFactor }));
        const states = await exchangeLimits(pool, sessionId, organizationId, { ...effect.exchange, rows });
        await this.perform(organizationId, limited, receiveStates(limited.quota, states, mintId(), nowMs()));
      }
    }
  }
}

const wantOf = ({ measure, unit }: Limit, { promptTokens: prompt, maxTokens }: Draft, { units }: Holding): Amount => {
  switch (measure) {
    case 'requests':
    case 'concurrency':
      return whole(1);
    case 'input_tokens':
      return whole(prompt);
    case 'output_tokens':
      return whole(maxTokens);
    case 'tokens':
      return whole(prompt + maxTokens);
    case 'money':
      return units.find((held) => held.unit === unit)?.hold.total ?? 0n;
  }
};
