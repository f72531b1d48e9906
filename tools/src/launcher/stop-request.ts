import { constants } from 'node:os';

/**
 * Ctrl-C, SIGTERM and a closed terminal request a stop; a second request forces it. npm passes on a signal that the terminal
 * has already sent to every process, so one Ctrl-C may arrive twice: a signal that follows at once is the same request.
 */
export interface StopRequest {
  requested: AbortSignal;
  forced: AbortSignal;
  /** A shell's exit code for a process that a signal ended: 128 plus the signal's number. */
  exitCode(): number;
}

const SAME_REQUEST_MS = 1_000;
const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export function listenForStop(onRequest: () => void): StopRequest {
  const requested = new AbortController();
  const forced = new AbortController();
  let requestedMs = 0;
  let lastSignal: NodeJS.Signals = 'SIGTERM';
  const onSignal = (signal: NodeJS.Signals): void => {
    lastSignal = signal;
    if (!requested.signal.aborted) {
      requestedMs = performance.now();
      onRequest();
      requested.abort();
    } else if (performance.now() - requestedMs > SAME_REQUEST_MS) {
      forced.abort();
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { requested: requested.signal, forced: forced.signal, exitCode: () => 128 + constants.signals[lastSignal] };
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
