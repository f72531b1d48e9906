/**
 * Ctrl-C, SIGTERM and a closed terminal ask to stop; a second time forces. npm passes on the signal that the terminal
 * has already sent to everybody, so one Ctrl-C may arrive twice: what follows at once is the same request.
 */
export interface StopRequest {
  requested: AbortSignal;
  forced: AbortSignal;
}

const SAME_REQUEST_MS = 1_000;
const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export function listenForStop(onRequest: () => void): StopRequest {
  const requested = new AbortController();
  const forced = new AbortController();
  let requestedMs = 0;
  const onSignal = (): void => {
    if (!requested.signal.aborted) {
      requestedMs = performance.now();
      onRequest();
      requested.abort();
    } else if (performance.now() - requestedMs > SAME_REQUEST_MS) {
      forced.abort();
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { requested: requested.signal, forced: forced.signal };
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
