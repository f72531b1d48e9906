export interface Refusal {
  readonly status: number;
  /** As better-auth writes it: INVALID_EMAIL_OR_PASSWORD. */
  readonly code: string;
  readonly message: string;
}

export const isPlainRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
