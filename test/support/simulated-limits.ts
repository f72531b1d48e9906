import type { CounterState, Exchange, Keep, Limit } from '@kilotoken/quota';

/**
 * The functions of the migration `limits` in memory, for one organization: what the property tests put behind gateways.
 * `limits.differential.db.spec.ts` holds it to the SQL. Calendar windows are days of UTC here.
 */
interface Counter {
  readonly startMs: number;
  readonly endMs: number;
  taken: bigint;
}

interface Slice {
  readonly session: string;
  readonly startMs: number;
  amount: bigint;
  mayReturn: boolean;
  recalledAtMs: number | null;
}

interface Subject {
  counters: Counter[];
  slices: Slice[];
}

const DAY_MS = 86_400_000;
const FOREVER_MS = 8_640_000_000_000_000;

export const windowOf = ({ windowKind, windowMs }: Limit, nowMs: number) => {
  if (windowKind === 'none') return { startMs: 0, fromMs: 0, endMs: FOREVER_MS, countedFromMs: 0, countsForMs: 0 };
  if (windowKind !== 'rolling') {
    const startMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
    return { startMs, fromMs: startMs, endMs: startMs + DAY_MS, countedFromMs: startMs, countsForMs: 0 };
  }
  const spanMs = windowMs + 500;
  const parts = Math.min(30, Math.max(1, Math.floor(spanMs / 500)));
  const partMs = Math.ceil(spanMs / parts);
  const startMs = (Math.floor(nowMs / partMs) + 1) * partMs;
  return { startMs, fromMs: 0, endMs: startMs + partMs, countedFromMs: startMs - (parts + 1) * partMs, countsForMs: parts * partMs };
};

export class SimulatedLimits {
  private readonly subjects = new Map<string, Subject>();
  private readonly lastAsk = new Map<string, string>();
  private readonly reaped = new Set<string>();

  constructor(private readonly limits: readonly Limit[]) {}

  exchange(session: string, { id, rows }: Exchange, nowMs: number): (CounterState | null)[] | 'reaped' {
    if (this.reaped.has(session)) return 'reaped';
    const first = (this.lastAsk.get(session) ?? '') < id;
    if (first) this.lastAsk.set(session, id);
    return rows.map(({ counter, keep, need, least, spare }) => {
      const limit = this.limits.find((known) => known.id === counter.limit.id);
      if (!limit) return null;
      const subject = this.subjectOf(limit, counter.subject);
      if (first) {
        this.keep(subject, session, keep);
        if (need + spare > 0n) this.take(limit, subject, session, { need, least, spare }, nowMs);
      }
      return this.stateOf(limit, subject, session, least, nowMs);
    });
  }

  recalled(session: string): { limitId: string; subject: string }[] {
    return [...this.subjects].flatMap(([key, { slices }]) =>
      slices.some((slice) => slice.session === session && slice.recalledAtMs !== null) ? [{ limitId: key.split('/')[0]!, subject: key.split('/')[1]! }] : [],
    );
  }

  /** `usedOf`: what usage rows say that the session used of a slice's window; null where that is not known. */
  reap(session: string, usedOf: (limit: Limit, subject: string, startMs: number, endMs: number) => bigint | null): void {
    this.reaped.add(session);
    for (const [key, subject] of this.subjects) {
      const [limitId, name] = key.split('/') as [string, string];
      const limit = this.limits.find(({ id }) => id === limitId)!;
      for (const slice of subject.slices.filter((known) => known.session === session)) {
        const counter = subject.counters.find(({ startMs }) => startMs === slice.startMs)!;
        const used = limit.windowKind === 'none' ? 0n : (usedOf(limit, name, counter.startMs, counter.endMs) ?? slice.amount);
        counter.taken -= slice.amount - (used < slice.amount ? used : slice.amount);
      }
      subject.slices = subject.slices.filter((slice) => slice.session !== session);
    }
  }

  /** What sessions hold, over all windows. */
  slices(): { amount: bigint; taken: bigint }[] {
    return [...this.subjects.values()].flatMap(({ slices, counters }) => slices.map(({ amount, startMs }) => ({ amount, taken: counters.find((counter) => counter.startMs === startMs)!.taken })));
  }

  takenNow(limit: Limit, name: string, nowMs: number): bigint {
    const { countedFromMs } = windowOf(limit, nowMs);
    return this.subjectOf(limit, name).counters.reduce((sum, { endMs, taken }) => (endMs > countedFromMs ? sum + taken : sum), 0n);
  }

  private subjectOf(limit: Limit, name: string): Subject {
    const key = `${limit.id}/${name}`;
    const known = this.subjects.get(key);
    if (known) return known;
    const subject: Subject = { counters: [], slices: [] };
    this.subjects.set(key, subject);
    return subject;
  }

  private keep(subject: Subject, session: string, keeps: readonly Keep[]): void {
    for (const { startMs, keep, open, close } of keeps) {
      const slice = subject.slices.find((known) => known.session === session && known.startMs === startMs);
      if (!slice) continue;
      const counter = subject.counters.find((known) => known.startMs === startMs)!;
      if (slice.amount > keep) counter.taken -= slice.amount - keep;
      if (close) subject.slices = subject.slices.filter((known) => known !== slice);
      else Object.assign(slice, { amount: slice.amount < keep ? slice.amount : keep, mayReturn: open, recalledAtMs: null });
    }
  }

  private take(limit: Limit, subject: Subject, session: string, { need, least, spare }: { need: bigint; least: bigint; spare: bigint }, nowMs: number): void {
    const window = windowOf(limit, nowMs);
    const left = limit.amount - subject.counters.reduce((sum, { endMs, taken }) => (endMs > window.countedFromMs ? sum + taken : sum), 0n);
    if (left > 0n && left >= least) {
      const unit = limit.measure === 'money' ? 1n : 1_000_000_000_000n;
      const eighth = left > need ? ((left - need) / 8n / unit) * unit : 0n;
      const wanted = need + (spare < eighth ? spare : eighth);
      const take = left < wanted ? left : wanted;
      if (take > 0n) this.give(subject, session, window, take);
    }
    if (left >= need) return;
    for (const slice of subject.slices) {
      if (slice.session !== session && slice.mayReturn && slice.recalledAtMs === null && slice.startMs >= window.countedFromMs) slice.recalledAtMs = nowMs;
    }
  }

  private give(subject: Subject, session: string, { startMs, endMs }: { startMs: number; endMs: number }, take: bigint): void {
    const counter = subject.counters.find((known) => known.startMs === startMs);
    if (counter) counter.taken += take;
    else subject.counters.push({ startMs, endMs, taken: take });
    const slice = subject.slices.find((known) => known.session === session && known.startMs === startMs);
    if (slice) Object.assign(slice, { amount: slice.amount + take, mayReturn: true });
    else subject.slices.push({ session, startMs, amount: take, mayReturn: true, recalledAtMs: null });
  }

  private stateOf(limit: Limit, subject: Subject, session: string, least: bigint, nowMs: number): CounterState {
    const { countedFromMs, countsForMs } = windowOf(limit, nowMs);
    const counted = subject.counters.filter(({ endMs }) => endMs > countedFromMs).sort((a, b) => a.startMs - b.startMs);
    const taken = counted.reduce((sum, counter) => sum + counter.taken, 0n);
    const laterThan = (startMs: number): bigint => counted.reduce((sum, counter) => (counter.startMs > startMs ? sum + counter.taken : sum), 0n);
    const free = counted.find(({ startMs }) => limit.amount - laterThan(startMs) >= least);
    const last = counted.findLast((counter) => counter.taken > 0n);
    const timed = (counter: Counter | undefined): number | null => (limit.windowKind === 'none' || !counter ? null : counter.endMs + countsForMs);
    return {
      rest: false,
      remaining: limit.amount > taken ? limit.amount - taken : 0n,
      pending: subject.slices.some((slice) => slice.session !== session && slice.recalledAtMs !== null && slice.recalledAtMs > nowMs - 1_000 && slice.startMs >= countedFromMs),
      freeAtMs: timed(free),
      resetAtMs: timed(last),
      slices: subject.slices
        .filter((slice) => slice.session === session)
        .sort((a, b) => a.startMs - b.startMs)
        .map(({ startMs, amount }) => {
          const counter = subject.counters.find((known) => known.startMs === startMs)!;
          return { startMs, fromMs: limit.windowKind === 'rolling' ? 0 : startMs, untilMs: counter.endMs, amount };
        }),
    };
  }
}
