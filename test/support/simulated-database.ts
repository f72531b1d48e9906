import type { Money } from '@kilotoken/money';
import type { Allocation, Ask, AskAnswer, BurnRank, ReturnRow } from '@kilotoken/funding';

/**
 * The money functions of `prisma/functions` in memory. Each public method is one transaction: it happens whole, or it
 * throws and has changed nothing. `funding.differential.db.spec.ts` gives this and Postgres the same calls and
 * compares their answers, so that what the interleavings prove with it holds for what runs.
 *
 * What mutations override is protected: see `simulated-mutations.ts`.
 */
export class SqlError extends Error {
  constructor(
    readonly sqlState: string,
    message: string,
  ) {
    super(message);
  }
}

export interface SimulatedGrant {
  readonly organizationId: string;
  readonly id: string;
  readonly unit: string;
  readonly models: readonly string[] | null;
  readonly rank: BurnRank;
  readonly granted: Money;
  expired: Money;
  settled: Money;
  available: Money;
  leased: Money;
}

export interface SimulatedLease {
  readonly organizationId: string;
  readonly id: string;
  readonly grantId: string;
  readonly sessionId: string;
  readonly askId: string;
  readonly firstUsageId: string;
  slice: Money;
  settled: Money | null;
  isRecalled: boolean;
  isClosed: boolean;
}

/** The hold and the charge in one unit. */
export interface UnitCharge {
  readonly unit: string;
  readonly hold: Money;
  readonly charge: Money;
}

/** What of a usage row takes part in moving money. */
export interface UsageRow {
  readonly organizationId: string;
  readonly id: string;
  readonly attempt: number;
  readonly counts: { readonly input: number; readonly output: number };
  /** Each unit once. */
  readonly charges: readonly UnitCharge[];
  readonly allocations: readonly (Allocation & { readonly unit: string })[];
  readonly opened: boolean;
}

export interface StoredUsage extends UsageRow {
  readonly sessionId: string;
  readonly flush: bigint;
}

export interface OpenRow {
  readonly organizationId: string;
  readonly id: string;
  readonly settlement: readonly UsageRow[];
}

export type AskedFor = Pick<Ask, 'id' | 'model' | 'need' | 'least' | 'spare' | 'firstUsageId'>;

export interface Reaped {
  readonly reaped: boolean;
  readonly billed: number;
  readonly leases: number;
}

const requestKey = (organizationId: string, id: string): string => `${organizationId}/${id}`;
const usageKey = ({ organizationId, id, attempt }: UsageRow): string => `${organizationId}/${id}/${attempt}`;
const least = (a: Money, b: Money): Money => (a < b ? a : b);
const sum = <Item>(items: Iterable<Item>, amountOf: (item: Item) => Money): Money => {
  let total = 0n;
  for (const item of items) total += amountOf(item);
  return total;
};

/** A row that the constraint `never_above_the_hold` refuses. */
export const isPoison = ({ charges }: UsageRow): boolean => charges.some(({ charge, hold }) => charge < 0n || charge > hold);

/** The charges of a row, as text to compare and to show. */
export const shownCharges = ({ charges }: UsageRow): string => charges.map(({ unit, charge }) => `${charge} ${unit}`).join(' ');

export const isOver = ({ rank }: SimulatedGrant, nowMs: number): boolean => rank.expiresAtMs !== null && rank.expiresAtMs <= nowMs;

/** The burn order, written once more: the wallet's own must agree with it. */
export const burnsBefore = ({ rank: a, id: idA }: SimulatedGrant, { rank: b, id: idB }: SimulatedGrant): number =>
  a.priority - b.priority ||
  (a.expiresAtMs ?? Number.MAX_SAFE_INTEGER) - (b.expiresAtMs ?? Number.MAX_SAFE_INTEGER) ||
  Number(b.promotional) - Number(a.promotional) ||
  a.effectiveAtMs - b.effectiveAtMs ||
  a.createdAtMs - b.createdAtMs ||
  (idA < idB ? -1 : 1);

export class SimulatedDatabase {
  readonly grants = new Map<string, SimulatedGrant>();
  readonly leases = new Map<string, SimulatedLease>();
  readonly usage = new Map<string, StoredUsage>();
  readonly openRequests = new Map<string, OpenRow & { readonly sessionId: string }>();
  /** Organization and request of each settlement that is kept there, with the attempt and reason. */
  readonly quarantine = new Map<string, { readonly organizationId: string; readonly id: string; readonly reason: string }>();
  /** Rows by session, flush and shard: what waits to be rated. */
  readonly unrated = new Map<string, number>();
  /** What usage has taken of each lease and each grant. */
  readonly spentOfLease = new Map<string, Money>();
  readonly spentOfGrant = new Map<string, Money>();
  private readonly sessions = new Map<string, { beat: bigint; isReaped: boolean }>();
  private readonly requestsWithUsage = new Set<string>();
  private readonly refusedAsks = new Map<string, string>();

  constructor(public nowMs: number) {}

  issueGrant(grant: Pick<SimulatedGrant, 'organizationId' | 'id' | 'unit' | 'models' | 'rank' | 'granted'>): void {
    this.grants.set(grant.id, { ...grant, expired: 0n, settled: 0n, available: grant.granted, leased: 0n });
  }

  startSession(sessionId: string): void {
    this.sessions.set(sessionId, { beat: 0n, isReaped: false });
  }

  beat(sessionId: string): void {
    const session = this.sessions.get(sessionId);
    if (session) session.beat += 1n;
  }

  listBeats(): Map<string, bigint> {
    return new Map([...this.sessions].filter(([, { isReaped }]) => !isReaped).map(([id, { beat }]) => [id, beat]));
  }

  isAlive(sessionId: string): boolean {
    return this.sessions.get(sessionId)?.isReaped === false;
  }

  /** The part of `gateway_poll` that is about money. */
  poll(sessionId: string): { alive: boolean; recalled: string[] } {
    const recalled = this.openLeases((lease) => lease.sessionId === sessionId && lease.isRecalled);
    return { alive: this.isAlive(sessionId), recalled: recalled.map(({ id }) => id) };
  }

  takeLeases(sessionId: string, organizationId: string, unit: string, ask: AskedFor): AskAnswer {
    this.fence(sessionId);
    const grants = this.spendable(organizationId, unit, ask.model);
    if (!this.wasAsked(sessionId, organizationId, unit, ask.id)) {
      const available = sum(grants, (grant) => grant.available);
      const taken = available >= ask.least ? this.take(sessionId, ask, grants, available) : 0;
      if (taken === 0) this.refusedAsks.set(`${organizationId}/${sessionId}/${unit}`, ask.id);
      if (available < ask.need) this.recall(sessionId, grants);
    }
    const leases = this.openLeases((lease) => lease.organizationId === organizationId && lease.askId === ask.id && lease.sessionId === sessionId);
    return {
      available: sum(grants, (grant) => grant.available),
      leased: sum(grants, (grant) => grant.leased),
      leases: leases
        .sort((a, b) => burnsBefore(this.grants.get(a.grantId)!, this.grants.get(b.grantId)!))
        .map(({ id, grantId, slice }) => ({ leaseId: id, grantId, slice, models: this.grants.get(grantId)!.models, rank: this.grants.get(grantId)!.rank })),
    };
  }

  returnLeases(sessionId: string, rows: readonly ReturnRow[]): number {
    this.fence(sessionId);
    return this.shrink(sessionId, rows);
  }

  settle(sessionId: string, flush: bigint, rows: readonly UsageRow[]): number {
    this.fence(sessionId);
    const poison = rows.find(isPoison);
    if (poison) throw new SqlError('23514', `usage ${poison.id} is charged above its hold`);
    const known = rows.filter((row) => this.usage.has(usageKey(row)));
    if (known.length < rows.length && rows.some((row) => !this.usage.has(usageKey(row)) && this.unrated.has(batchKey(sessionId, flush, row)))) {
      throw new SqlError('23505', `flush ${flush} was used for other rows`);
    }
    const foreign = known.find((row) => !this.isOurs(row, sessionId, flush));
    if (foreign) throw new SqlError('KT002', `usage ${foreign.id} exists with other contents`);
    return this.insertUsage(sessionId, flush, rows);
  }

  checkpoint(sessionId: string, rows: readonly OpenRow[]): number {
    this.fence(sessionId);
    const writable = rows.filter((row) => this.mayOpen(row) && (this.openRequests.get(requestKey(row.organizationId, row.id))?.sessionId ?? sessionId) === sessionId);
    for (const row of writable) this.openRequests.set(requestKey(row.organizationId, row.id), { ...row, sessionId });
    return writable.length;
  }

  quarantineSettlement(sessionId: string, row: Pick<UsageRow, 'organizationId' | 'id'>, reason: string): void {
    this.fence(sessionId);
    const { organizationId, id } = row;
    const key = requestKey(organizationId, id);
    this.quarantine.set(`${key}:${reason}`, { organizationId, id, reason });
    if (this.openRequests.get(key)?.sessionId === sessionId) this.openRequests.delete(key);
  }

  reap(sessionId: string): Reaped {
    if (!this.isAlive(sessionId)) return { reaped: false, billed: 0, leases: 0 };
    this.sessions.get(sessionId)!.isReaped = true;
    let billed = 0;
    let flush = -1n;
    for (const [key, open] of this.openRequests) {
      if (open.sessionId !== sessionId) continue;
      for (const row of this.billedAtReap(open)) {
        if (isPoison(row)) this.quarantine.set(`${key}:reap`, { organizationId: row.organizationId, id: row.id, reason: 'reap:23514' });
        else billed += this.insertUsage(sessionId, flush--, [row]);
      }
      this.openRequests.delete(key);
    }
    const open = this.openLeases((lease) => lease.sessionId === sessionId);
    const rows = open.map((lease) => ({ organizationId: lease.organizationId, leaseId: lease.id, close: true, keep: this.spentAtReap(lease) }));
    return { reaped: true, billed, leases: this.shrink(sessionId, rows) };
  }

  expireGrants(): number {
    const over = [...this.grants.values()].filter((grant) => isOver(grant, this.nowMs) && grant.available > 0n);
    for (const grant of over) {
      grant.expired += grant.available;
      grant.available = 0n;
    }
    return over.length;
  }

  /** Grants of a unit that may pay for a model now, in burn order. */
  spendable(organizationId: string, unit: string, model: string): SimulatedGrant[] {
    return [...this.grants.values()]
      .filter((grant) => grant.organizationId === organizationId && grant.unit === unit && grant.rank.effectiveAtMs <= this.nowMs && !isOver(grant, this.nowMs))
      .filter(({ models }) => models === null || models.includes(model))
      .sort(burnsBefore);
  }

  openLeases(matches: (lease: SimulatedLease) => boolean): SimulatedLease[] {
    const open: SimulatedLease[] = [];
    for (const lease of this.leases.values()) if (!lease.isClosed && matches(lease)) open.push(lease);
    return open;
  }

  protected fence(sessionId: string): void {
    if (!this.isAlive(sessionId)) throw new SqlError('KT001', `session ${sessionId} was reaped`);
  }

  protected wasAsked(sessionId: string, organizationId: string, unit: string, askId: string): boolean {
    for (const lease of this.leases.values()) if (lease.askId === askId && lease.organizationId === organizationId) return true;
    return this.wasRefused(sessionId, organizationId, unit, askId);
  }

  protected wasRefused(sessionId: string, organizationId: string, unit: string, askId: string): boolean {
    return (this.refusedAsks.get(`${organizationId}/${sessionId}/${unit}`) ?? '') >= askId;
  }

  protected sliceOf(grant: SimulatedGrant, left: Money): Money {
    return least(left, grant.available);
  }

  /** What a return takes from its lease. */
  protected returnedBy(lease: SimulatedLease, row: ReturnRow): Money {
    return lease.slice - least(lease.slice, row.keep);
  }

  /** Several rows of one lease in one call count once: the smallest remainder. */
  protected mergeReturns(rows: readonly ReturnRow[]): ReturnRow[] {
    const merged = new Map<string, ReturnRow>();
    for (const row of rows) {
      const known = merged.get(row.leaseId);
      merged.set(row.leaseId, known ? { ...row, keep: least(known.keep, row.keep), close: known.close || row.close } : row);
    }
    return [...merged.values()];
  }

  protected isOurs(row: UsageRow, sessionId: string, flush: bigint): boolean {
    const stored = this.usage.get(usageKey(row))!;
    return stored.sessionId === sessionId && stored.flush === flush && shownCharges(stored) === shownCharges(row);
  }

  protected mayOpen(row: OpenRow): boolean {
    return !this.requestsWithUsage.has(requestKey(row.organizationId, row.id)) && !this.isQuarantined(row);
  }

  protected isQuarantined({ organizationId, id }: OpenRow): boolean {
    for (const kept of this.quarantine.values()) if (kept.organizationId === organizationId && kept.id === id && kept.reason.startsWith('settle:')) return true;
    return false;
  }

  protected billedAtReap(open: OpenRow): readonly UsageRow[] {
    return open.settlement;
  }

  /** The bound on ids is there to read less: no older request can have used the lease. */
  protected spentAtReap(lease: SimulatedLease): Money {
    const rows = [...this.usage.values()].filter(({ sessionId, organizationId, id }) => sessionId === lease.sessionId && organizationId === lease.organizationId && id >= lease.firstUsageId);
    return sum(rows, ({ allocations }) => sum(allocations.filter(({ leaseId }) => leaseId === lease.id), ({ amount }) => amount));
  }

  private take(sessionId: string, ask: AskedFor, grants: readonly SimulatedGrant[], available: Money): number {
    const eighth = available > ask.need ? (available - ask.need) / 8n : 0n;
    let left = ask.need + least(ask.spare, eighth);
    let taken = 0;
    for (const grant of grants) {
      const slice = this.sliceOf(grant, left);
      if (slice <= 0n) continue;
      grant.available -= slice;
      grant.leased += slice;
      left -= slice;
      taken += 1;
      const { organizationId, id: grantId } = grant;
      const { id: askId, firstUsageId } = ask;
      const id = `lease-${String(this.leases.size).padStart(6, '0')}`;
      this.leases.set(id, { organizationId, id, grantId, sessionId, askId, firstUsageId, slice, settled: null, isRecalled: false, isClosed: false });
    }
    return taken;
  }

  private recall(sessionId: string, grants: readonly SimulatedGrant[]): void {
    const ids = new Set(grants.map(({ id }) => id));
    for (const lease of this.openLeases((open) => open.sessionId !== sessionId && ids.has(open.grantId))) lease.isRecalled = true;
  }

  private shrink(sessionId: string, rows: readonly ReturnRow[]): number {
    const due = this.mergeReturns(rows).flatMap((row) => {
      const lease = this.leases.get(row.leaseId);
      return lease && lease.organizationId === row.organizationId && lease.sessionId === sessionId && !lease.isClosed ? [{ row, lease }] : [];
    });
    const wrong = due.find(({ row, lease }) => row.keep < 0n || (row.close && row.keep > lease.slice));
    if (wrong) throw new SqlError('23514', `lease ${wrong.lease.id} cannot keep ${wrong.row.keep} of ${wrong.lease.slice}`);
    for (const { row, lease } of due) {
      const grant = this.grants.get(lease.grantId)!;
      const returned = this.returnedBy(lease, row);
      lease.slice -= returned;
      lease.isRecalled = false;
      grant.leased -= returned;
      if (isOver(grant, this.nowMs)) grant.expired += returned;
      else grant.available += returned;
      if (!row.close) continue;
      lease.isClosed = true;
      lease.settled = row.keep;
      grant.leased -= row.keep;
      grant.settled += row.keep;
    }
    return due.length;
  }

  private insertUsage(sessionId: string, flush: bigint, rows: readonly UsageRow[]): number {
    let written = 0;
    for (const row of rows) {
      if (row.opened) this.openRequests.delete(requestKey(row.organizationId, row.id));
      if (this.usage.has(usageKey(row))) continue;
      this.usage.set(usageKey(row), { ...row, sessionId, flush });
      this.requestsWithUsage.add(requestKey(row.organizationId, row.id));
      const batch = batchKey(sessionId, flush, row);
      this.unrated.set(batch, (this.unrated.get(batch) ?? 0) + 1);
      for (const { leaseId, grantId, amount } of row.allocations) {
        this.spentOfLease.set(leaseId, (this.spentOfLease.get(leaseId) ?? 0n) + amount);
        this.spentOfGrant.set(grantId, (this.spentOfGrant.get(grantId) ?? 0n) + amount);
      }
      written += 1;
    }
    return written;
  }
}

const batchKey = (sessionId: string, flush: bigint, { organizationId }: UsageRow): string => `${sessionId}/${flush}/${parseInt(organizationId.slice(-1), 16)}`;
