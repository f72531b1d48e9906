import type { MaxTokensPolicy, UnsupportedParameterPolicy } from '@kilotoken/contracts';
import type { Limit } from '@kilotoken/quota';

/** A pack unit and the models that some grant in it pays for; null is all. */
export interface Pack {
  readonly unit: string;
  readonly models: readonly string[] | null;
}

/** The facts about an API key that the request path needs. */
export interface Caller {
  readonly organizationId: string;
  readonly accountRootId: string;
  readonly priceBookId: string;
  readonly organizationStatus: 'active' | 'suspended';
  readonly projectId: string;
  readonly apiKeyId: string;
  /** Null: all models. */
  readonly allowedModels: ReadonlySet<string> | null;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** Those that its requests are under; null where there are none. */
  readonly limits: readonly Limit[] | null;
  /** Grants in pack units that its organization has; null where there are none. */
  readonly packs: readonly Pack[] | null;
  /** Null: as the model says. */
  readonly unsupportedParameters: UnsupportedParameterPolicy | null;
  readonly maxTokensAbove: MaxTokensPolicy | null;
}
