import { isTimeZone, maxTokensPolicies, type MaxTokensPolicy, unsupportedParameterPolicies, type UnsupportedParameterPolicy } from '@kilotoken/contracts';
import { z } from 'zod';

/**
 * An organization is a customer with a price book, a time zone and grants. A project groups its keys, and an API key spends
 * for its project. The schemas here parse every caller's input.
 */
export interface Organization {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly priceBook: string;
  readonly timeZone: string;
  readonly status: string;
  /** The organization above it in its account tree. */
  readonly parentId: string | null;
  /** `company`: the seller's own, of which there is one. */
  readonly kind: string;
  readonly createdAt: Date;
}

export interface Project {
  readonly organizationId: string;
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly archivedAt: Date | null;
}

/** A key's policies for its requests; null takes the model's policy. */
export interface ApiKeySettings {
  readonly unsupportedParameters: UnsupportedParameterPolicy | null;
  readonly maxTokensAbove: MaxTokensPolicy | null;
}

export interface ApiKey extends ApiKeySettings {
  readonly organizationId: string;
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  /** The beginning of the key, to tell keys apart. */
  readonly prefix: string;
  readonly status: 'active' | 'expired' | 'revoked';
  /** Null: every model. */
  readonly allowedModels: readonly string[] | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Written with the rating of a request, some moments after it. */
  readonly lastUsedAt: Date | null;
  readonly createdAt: Date;
}

/** How many rows a list answers at most; the next page begins after the last one. */
const pageRowsMax = 1_000;
const allowedModelsMax = 200;

/** A display name. */
export const nameSchema = z
  .string()
  .trim()
  .min(1, 'must not be empty')
  .max(200, 'must have at most 200 characters')
  // Control characters and lone surrogates: neither a terminal nor a text column takes them as they are.
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters');

export const slugSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must have at most 63 lower-case letters, digits and dashes, and not start with a dash');

/** A name: Postgres reads the sign of an offset such as +08:00 the other way round. */
const isNamedZone = (text: string): boolean => /^[A-Za-z]/.test(text) && isTimeZone(text);

export const timeZoneNeeded = 'must be the name of a time zone, such as Europe/Berlin or UTC';
/** One that JavaScript knows. Days are counted by Postgres too, with tables of its own: see `getTimeZone`. */
const timeZoneSchema = z.string().refine(isNamedZone, timeZoneNeeded);

export const newOrganizationSchema = z.strictObject({
  name: nameSchema,
  slug: slugSchema,
  priceBook: z.string().min(1),
  timeZone: timeZoneSchema.default('UTC'),
  /** Below which organization it stands, for good. */
  parentId: z.uuid().nullish(),
});
export type NewOrganization = z.input<typeof newOrganizationSchema>;

export const organizationTimeZoneSchema = z.strictObject({ id: z.uuid(), timeZone: timeZoneSchema });
export type OrganizationTimeZone = z.input<typeof organizationTimeZoneSchema>;

export const newProjectSchema = z.strictObject({ organizationId: z.uuid(), name: nameSchema });
export type NewProject = z.input<typeof newProjectSchema>;

const modelId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$/, 'must be the id of a model');

const apiKeySettings = {
  unsupportedParameters: z.enum(unsupportedParameterPolicies).nullish(),
  maxTokensAbove: z.enum(maxTokensPolicies).nullish(),
};

/** Refuses an empty list, which could mean "no model" or "every model". */
export const modelIdsSchema = z.array(modelId).min(1, 'must name at least one model; omit it to allow all').max(allowedModelsMax);

export const newApiKeySchema = z.strictObject({
  ...apiKeySettings,
  organizationId: z.uuid(),
  projectId: z.uuid(),
  name: nameSchema,
  expiresAt: z.date().nullish(),
  allowedModels: modelIdsSchema.nullish(),
});
export type NewApiKey = z.input<typeof newApiKeySchema>;

export const apiKeyPlaceSchema = z.strictObject({ organizationId: z.uuid(), id: z.uuid() });
export type ApiKeyPlace = z.input<typeof apiKeyPlaceSchema>;

/** Omitted settings stay as they are. */
export const apiKeySettingsSchema = apiKeyPlaceSchema.extend(apiKeySettings);
export type ApiKeySettingsChange = z.input<typeof apiKeySettingsSchema>;

const overlapMsMax = 90 * 24 * 3_600_000;
export const rollApiKeySchema = apiKeyPlaceSchema.extend({ overlapMs: z.int().min(0).max(overlapMsMax, 'must be at most 90 days').default(0) });
export type RollApiKey = z.input<typeof rollApiKeySchema>;

const limit = z.int().min(1).max(pageRowsMax).default(pageRowsMax);
/** `after` is the last slug or name of the page before, or for keys the last id. */
export const namePageSchema = z.strictObject({ after: z.string().max(200).optional(), limit });
export const idPageSchema = z.strictObject({ after: z.uuid().optional(), limit });
export type Page = z.input<typeof namePageSchema>;
