import type { RequestTrace } from '@kilotoken/platform';
import type { ServerResponse } from 'node:http';

/** The client of a request: its response may close at any moment, and may be slow to take bytes. */
export interface Client {
  isGone(): boolean;
  /** Calls `listener` once when the client leaves before its answer ended; answers how to stop listening. */
  onGone(listener: () => void): () => void;
  readonly response: ServerResponse;
  /** Fields for the request's one log line. */
  readonly event: Record<string, unknown>;
  /** Null where no traces are made. */
  readonly trace: RequestTrace | null;
}

export const createClient = (response: ServerResponse, event: Record<string, unknown>, trace: RequestTrace | null): Client => {
  const isGone = (): boolean => response.destroyed && !response.writableFinished;
  return {
    response,
    event,
    trace,
    isGone,
    onGone: (listener) => {
      if (isGone()) {
        listener();
        return () => undefined;
      }
      const onClose = (): void => {
        if (!response.writableFinished) listener();
      };
      // It comes once; `once` would wrap the listener each time to make sure of that.
      response.on('close', onClose);
      return () => response.off('close', onClose);
    },
  };
};
