import type { MaxTokensPolicy, UnsupportedParameterPolicy } from '@kilotoken/contracts';
import type { Limit } from '@kilotoken/quota';

/** Who asks: what the request path needs to know of an API key. */
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
  /** Null: as the model says. */
  readonly unsupportedParameters: UnsupportedParameterPolicy | null;
  readonly maxTokensAbove: MaxTokensPolicy | null;
}
