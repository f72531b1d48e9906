import type { Charge } from '@kilotoken/usage';

/** What a request reserved under its limits. It is ended or given back, once. */
export interface LimitHold {
  /** The moment that it is counted at. */
  readonly atMs: number;
  readonly outputTokens: number;
  /** What the client is told of its limits with its answer. */
  headers(): Record<string, string>;
  /** The request ran: with what it used. */
  end(charge: Charge): void;
  /** It was refused after all. */
  giveBack(): void;
}
