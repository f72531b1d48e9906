import { divideHalfEven, type Money } from '@kilotoken/money';

/**
 * How fast a balance goes, and when it is gone. Burn is the use of the last seven days, a day; of an organization that began within them, since its
 * first use, but at least a day. It is rounded half-even to 12 decimals, once. Grants go in the order in which they burn, each until it is spent
 * or ends.
 *
 *   2 USD left, 7 used in the last 7 days          1 a day   gone in 2 days
 *   2 USD left, 7 used, 1.5 of it ends in a day    1 a day   gone in 1.5 days
 */

/** A grant as far as its end matters. */
export interface SpendableGrant {
  readonly available: Money;
  readonly effectiveAt: Date;
  readonly expiresAt: Date | null;
}

const burnDays = 7;
const dayMs = 86_400_000;
const farMs = 10 * 365 * dayMs;

/** `firstUseAt`: the first use within the last seven days; null without any. */
export const burnPerDay = (used: Money, firstUseAt: Date | null, now: Date): Money => {
  if (firstUseAt === null) return 0n;
  const spanMs = Math.min(Math.max(now.getTime() - firstUseAt.getTime(), dayMs), burnDays * dayMs);
  return divideHalfEven(used * BigInt(dayMs), BigInt(spanMs));
};

/** The moment at which nothing can be spent any more at this rate; null: not within ten years. `grants` stand in the order in which they burn. */
export const runsOutAt = (grants: readonly SpendableGrant[], burn: Money, now: Date): Date | null => {
  if (burn <= 0n) return null;
  const left = grants.map(({ available, effectiveAt, expiresAt }) => ({ available, fromMs: effectiveAt.getTime(), untilMs: expiresAt?.getTime() ?? Infinity }));
  let atMs = now.getTime();
  while (atMs - now.getTime() < farMs) {
    const next = left.find(({ available, fromMs, untilMs }) => available > 0n && fromMs <= atMs && untilMs > atMs);
    if (!next) return new Date(atMs);
    // A grant that is ahead of it in the order may begin meanwhile; then that one goes on.
    const ahead = left.slice(0, left.indexOf(next)).filter(({ available, fromMs, untilMs }) => available > 0n && fromMs > atMs && untilMs > fromMs);
    const spentMs = atMs + Number((next.available * BigInt(dayMs)) / burn);
    const endMs = Math.min(spentMs, next.untilMs, ...ahead.map(({ fromMs }) => fromMs));
    if (endMs === spentMs) next.available = 0n;
    else next.available -= (burn * BigInt(endMs - atMs)) / BigInt(dayMs);
    atMs = endMs;
  }
  return null;
};
