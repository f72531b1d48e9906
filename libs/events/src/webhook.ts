import { eventCatalogue, type EventEnvelope, isEventName, readUrl } from '@kilotoken/contracts';
import { z } from 'zod';

/** Where a customer wants events, and what is sent there, by the Standard Webhooks scheme. */
export interface WebhookEndpoint {
  readonly organizationId: string;
  readonly id: string;
  readonly url: string;
  readonly description: string;
  /** Null: all. */
  readonly kinds: readonly string[] | null;
  readonly status: 'enabled' | 'failing' | 'disabled';
  readonly createdAt: Date;
  readonly failingSince: Date | null;
  readonly disabledAt: Date | null;
}

/** Endpoints of one organization: each event is sent to each. */
export const endpointsMax = 20;
/** How long the old secret signs too after a rotation, unless its owner says otherwise. */
export const secretOverlapMsDefault = 24 * 3_600_000;
export const secretOverlapMsMax = 7 * 24 * 3_600_000;
/** An endpoint that only failed for this long is disabled. The schedule of one delivery takes three days and a third. */
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
 * The address as it will be called, or what is wrong with how it is written; where it leads is looked at apart. What the URL
 * standard drops silently (tabs, line ends, blanks around) is refused: nobody writes that by accident.
 */
export const parseWebhookUrl = (text: string, allowHttp: boolean): { readonly url: string } | { readonly problem: UrlProblem } => {
  if (text.length > urlLengthMax) return { problem: 'too_long' };
  // eslint-disable-next-line no-control-regex -- exactly those are meant
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

/** An event that its kind's schema does not describe is a bug of ours: it is not sent but kept as a dead letter. Throws a ZodError. */
export const toEnvelope = ({ id, organizationId, kind, sequence, createdAt, payload }: StoredEvent): EventEnvelope => {
  if (!isEventName(kind)) throw new Error(`this release does not know events of the kind ${kind}`);
  const data = eventCatalogue[kind].data.loose().parse(payload);
  return { id, type: kind, timestamp: createdAt.toISOString(), organization_id: organizationId, sequence: Number(sequence), data };
};
