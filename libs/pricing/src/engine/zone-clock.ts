/**
 * The local clock of a time zone, without a library: ECMAScript knows the zones' rules, and asking for them is slow, so the answer is kept for each
 * hour. A local time is a count of milliseconds as if the local wall clock were UTC.
 */
export const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** Hours whose offset is kept, some forty months; after that the clock forgets all of them. */
const keptHoursMax = 30_000;

export interface ZoneClock {
  readonly zone: string;
  /** The local wall time of an instant. */
  localOf(atMs: number): number;
  /**
   * The first instant of a local day, given as its midnight on the local clock. A midnight that happens twice is the first one; one that is
   * skipped is the end of the gap.
   */
  dayBegins(localMidnightMs: number): number;
}

const offsetReader = (zone: string): ((atMs: number) => number) => {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
  return (atMs) => {
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(atMs)) if (type !== 'literal') parts[type] = Number(value);
    const local = Date.UTC(parts.year!, parts.month! - 1, parts.day!, parts.hour!, parts.minute!, parts.second!);
    return local - Math.floor(atMs / 1_000) * 1_000;
  };
};

const createClock = (zone: string): ZoneClock => {
  const readOffset = offsetReader(zone);
  /** Null: the offset changes within the hour. */
  const offsets = new Map<number, number | null>();
  let last = { hour: Number.NaN, offsetMs: 0 };
  const offsetAt = (atMs: number): number => {
    const hour = Math.floor(atMs / hourMs);
    if (hour === last.hour) return last.offsetMs;
    let offset = offsets.get(hour);
    if (offset === undefined) {
      const first = readOffset(hour * hourMs);
      offset = first === readOffset((hour + 1) * hourMs - 1) ? first : null;
      if (offsets.size >= keptHoursMax) offsets.clear();
      offsets.set(hour, offset);
    }
    if (offset === null) return readOffset(atMs);
    last = { hour, offsetMs: offset };
    return offset;
  };
  const localOf = (atMs: number): number => atMs + offsetAt(atMs);
  return { zone, localOf, dayBegins: (localMidnightMs) => firstInstantOf(localMidnightMs, offsetAt) };
};

const firstInstantOf = (localMs: number, offsetAt: (atMs: number) => number): number => {
  const [before, after] = [localMs - offsetAt(localMs - dayMs), localMs - offsetAt(localMs + dayMs)];
  const first = Math.min(before, after);
  for (const instant of [first, Math.max(before, after)]) if (instant + offsetAt(instant) === localMs) return instant;
  // A gap: the local clock passes the time between these two, and jumps over it.
  let [early, late] = [first - hourMs * 3, Math.max(before, after) + hourMs * 3];
  while (late - early > 1) {
    const middle = early + Math.floor((late - early) / 2);
    if (middle + offsetAt(middle) < localMs) early = middle;
    else late = middle;
  }
  return late;
};

const clocks = new Map<string, ZoneClock>();

/** Clocks are kept: books and organizations share few zones, and only valid ones get here. */
export const clockOf = (zone: string): ZoneClock => {
  let clock = clocks.get(zone);
  if (!clock) clocks.set(zone, (clock = createClock(zone)));
  return clock;
};

/** The midnight of a date such as 2026-01-31, on the local clock. */
export const localMidnight = (date: string): number => Date.parse(`${date}T00:00:00Z`);

/** A moment with an offset, or a date: the first instant of that day in the zone. */
export const instantOf = (moment: string, zone: string): number => (moment.length === 10 ? clockOf(zone).dayBegins(localMidnight(moment)) : Date.parse(moment));
