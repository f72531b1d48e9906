import { eventCatalogue, type EventEnvelope, isEventName, readUrl } from '@kilotoken/contracts';
import { z } from 'zod';

/** An address of a customer that gets events, by the Standard Webhooks scheme. */
export interface WebhookEndpoint {
  readonly organizationId: string;
  readonly id: string;
  readonly url: string;
  readonly description: string;
  /** Null: all kinds. */
  readonly kinds: readonly string[] | null;
  readonly status: 'enabled' | 'failing' | 'disabled';
  readonly createdAt: Date;
  readonly failingSince: Date | null;
  readonly disabledAt: Date | null;
}

/** Endpoints of one organization. */
export const endpointsMax = 20;
/** How long the old secret signs too after a rotation, by default. */
export const secretOverlapMsDefault = 24 * 3_600_000;
export const secretOverlapMsMax = 7 * 24 * 3_600_000;
/** An endpoint that failed for this long without a success is disabled. One delivery's attempts take up to three days and a third. */
export const disableAfterMs = 5 * 24 * 3_600_000;
const urlLengthMax = 2_000;
const secretBytes = 32;

export const kindsSchema = z
  .array(z.string().refine(isEventName, { error: `must be one of ${Object.keys(eventCatalogue).join(', ')}` }))
  .min(1)
  .max(100)
  .transform((kinds) => [...new Set(kinds)].sort());

export type UrlProblem = 'malformed' | 'scheme' | 'credentials' | 'fragment' | 'too_long';

/**
 * The address in its normal form, or the problem with its text; `WebhookGuard` checks where it leads. Characters that the URL
 * standard drops silently (tabs, line ends, blanks around it) are refused: they are no accident.
 */
export const parseWebhookUrl = (text: string, allowHttp: boolean): { readonly url: string } | { readonly problem: UrlProblem } => {
  if (text.length > urlLengthMax) return { problem: 'too_long' };
  // eslint-disable-next-line no-control-regex -- control characters are to be refused
  if (/[\u0000-\u0020\u007f\\]/.test(text)) return { problem: 'malformed' };
  const url = readUrl(text);
  if (!url) return { problem: 'malformed' };
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) return { problem: 'scheme' };
  if (url.username !== '' || url.password !== '' || /^[a-z]+:\/\/[^/?#]*@/i.test(text)) return { problem: 'credentials' };
  if (url.hash !== '' || text.includes('#')) return { problem: 'fragment' };
  return url.href.length > urlLengthMax ? { problem: 'too_long' } : { url: url.href };
};

export const urlProblemTexts: Readonly<Record<UrlProblem, string>> = {
  malformed: 'it is not an address such as https://hooks.example.com/kilotoken',
  scheme: 'it must begin with https://',
  credentials: 'it must not hold a user or a password',
  fragment: 'it must not hold a #',
  too_long: `it is longer than ${urlLengthMax} characters`,
};

/** `whsec_` and the base64 of 32 random bytes. */
export const createSecret = (randomBytes: (size: number) => Uint8Array): string => `whsec_${Buffer.from(randomBytes(secretBytes)).toString('base64')}`;

export interface StoredEvent {
  readonly id: string;
  readonly organizationId: string;
  readonly kind: string;
  readonly sequence: bigint;
  readonly createdAt: Date;
  readonly payload: unknown;
}

/** Throws a ZodError for an event that does not fit its kind's schema: that is our bug, and the delivery becomes a dead letter. */
export const toEnvelope = ({ id, organizationId, kind, sequence, createdAt, payload }: StoredEvent): EventEnvelope => {
  if (!isEventName(kind)) throw new Error(`this release does not know events of the kind ${kind}`);
  const data = eventCatalogue[kind].data.loose().parse(payload);
  return { id, type: kind, timestamp: createdAt.toISOString(), organization_id: organizationId, sequence: Number(sequence), data };
};
