import type { FlushReport } from '@kilotoken/funding';
import { flushSpanContext, type Clock, type Tracing } from '@kilotoken/platform';

/** A flush carries many requests, so it has a trace of its own, to which theirs link; exported with one of theirs, or when it had to be executed again. */
export const traceFlush =
  (tracing: Tracing, sessionId: string, clock: Clock) =>
  ({ number, entries, traced, executions, startedMs }: FlushReport): void => {
    if (!traced && executions === 1) return;
    const endedMs = clock.nowMs();
    tracing.export({
      ...flushSpanContext(sessionId, number),
      parentSpanId: null,
      name: 'settle flush',
      kind: 'client',
      startedMs: endedMs - (clock.monotonicMs() - startedMs),
      endedMs,
      attributes: {
        'db.system.name': 'postgresql',
        'db.operation.name': 'settle',
        'db.operation.batch.size': entries,
        'kilotoken.session.id': sessionId,
        'kilotoken.flush': Number(number),
        'kilotoken.flush.executions': executions,
      },
      errorType: null,
    });
  };
