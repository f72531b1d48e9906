import { formatMoney, parseMoney } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';
import type { CounterState, Exchange } from './quota-state.js';

interface StateJson {
  remaining: string;
  pending: boolean;
  rest?: boolean;
  freeAtMs: number | null;
  resetAtMs: number | null;
  slices: { start: number; from: number; until: number; amount: string }[];
}

const toState = ({ slices, remaining, pending, rest = false, freeAtMs, resetAtMs }: StateJson): CounterState => ({
  remaining: parseMoney(remaining),
  pending,
  rest,
  freeAtMs,
  resetAtMs,
  slices: slices.map(({ start, from, until, amount }) => ({ startMs: start, fromMs: from, untilMs: until, amount: parseMoney(amount) })),
});

/** One call of a named function: one round trip, one transaction. What it guarantees stands in its file in `prisma/functions`. */
export const exchangeLimits = async (db: Db, sessionId: string, organizationId: string, { id, firstUsageId, rows }: Exchange): Promise<(CounterState | null)[]> => {
  const json = rows.map(({ counter, keep, need, least, spare, stopped }) => ({
    limit: counter.limit.id,
    subject: counter.subject,
    keep: keep.map(({ startMs, keep: amount, open, close }) => ({ start: startMs, keep: formatMoney(amount), open, close })),
    need: formatMoney(need),
    least: formatMoney(least),
    spare: formatMoney(spare),
    stopped,
  }));
  const { rows: answers } = await db.query<{ states: (StateJson | null)[] }>({
    name: 'limit_exchange',
    text: 'SELECT limit_exchange($1, $2, $3, $4, $5) AS states',
    values: [sessionId, organizationId, id, firstUsageId, JSON.stringify(json)],
  });
  return answers[0]!.states.map((state) => state && toState(state));
};
