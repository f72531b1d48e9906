import type { Charge } from '@kilotoken/usage';

/** A request's reservation under its limits. It is ended or returned, once. */
export interface LimitHold {
  /** The moment that it is counted at. */
  readonly atMs: number;
  readonly outputTokens: number;
  /** The headers about limits for the client's answer. */
  headers(): Record<string, string>;
  /** The request ran: with what it used. */
  end(charge: Charge): void;
  /** It was refused after all. */
  giveBack(): void;
}
