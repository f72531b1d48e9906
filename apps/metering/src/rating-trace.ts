import type { RatingReport } from '@kilotoken/metering';
import { flushSpanContext, type Clock, type Tracing } from '@kilotoken/platform';

/** The most links of one rating's span; OpenTelemetry's own limit. */
const linksMax = 128;

/** A rating serves many requests of many gateways: its trace links to the flushes that it rates, as theirs do. At most one a second, so all are exported. */
export const traceRating =
  (tracing: Tracing, clock: Clock) =>
  ({ flushes, rows, startedMs }: RatingReport): void => {
    const endedMs = clock.nowMs();
    const settled = new Map(flushes.map(({ sessionId, flush }) => [`${sessionId} ${flush}`, { sessionId, flush }]));
    tracing.export({
      ...tracing.newContext(),
      parentSpanId: null,
      name: 'rate',
      kind: 'internal',
      startedMs: endedMs - (clock.monotonicMs() - startedMs),
      endedMs,
      attributes: { 'kilotoken.rating.rows': rows, 'kilotoken.rating.flushes': settled.size },
      errorType: null,
      links: [...settled.values()].slice(0, linksMax).map(({ sessionId, flush }) => flushSpanContext(sessionId, flush)),
    });
  };
