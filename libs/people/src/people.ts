import { customerRoles, permissionsOf, staffRoles, type Role } from '@kilotoken/access';
import { nameSchema } from '@kilotoken/identity';
import { z } from 'zod';

/**
 * People, their membership in organizations, and how others get one: by an invitation, or, for a machine, by a service token.
 *
 *   Ada, an owner of Acme, invites bob@example.com as a developer. Bob opens the link in the mail, chooses a name and a password, and is a member.
 */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly locale: string;
  readonly twoFactorEnabled: boolean;
  readonly createdAt: Date;
  readonly disabledAt: Date | null;
  readonly erasedAt: Date | null;
}

export interface Member extends Person {
  readonly organizationId: string;
  readonly role: Role;
  readonly joinedAt: Date;
}

export type InvitationStatus = 'pending' | 'accepted' | 'revoked' | 'expired';

export interface Invitation {
  readonly organizationId: string;
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly status: InvitationStatus;
  readonly invitedBy: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface ServiceToken {
  readonly organizationId: string;
  readonly id: string;
  readonly name: string;
  /** The beginning of the token, to tell tokens apart. */
  readonly prefix: string;
  readonly role: Role;
  /** Null: all that the role may. */
  readonly permissions: readonly string[] | null;
  readonly status: 'active' | 'expired' | 'revoked';
  readonly createdBy: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly lastUsedAt: Date | null;
}

export interface SignInSession {
  readonly id: string;
  readonly createdAt: Date;
  /** The last time that its end was put off. */
  readonly updatedAt: Date;
  readonly expiresAt: Date;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

export const passwordLengthMin = 10;
export const passwordLengthMax = 128;
export const invitationMsMax = 7 * 24 * 3_600_000;
const tokenDaysMax = 366;
const pageRowsMax = 1_000;

export const emailSchema = z.string().trim().toLowerCase().max(254, 'an e-mail address has at most 254 characters').pipe(z.email('an e-mail address is needed, such as ada@example.com'));
export const roleSchema = z.enum([...customerRoles, ...staffRoles]);
export const passwordSchema = z
  .string()
  .min(passwordLengthMin, `a password has at least ${passwordLengthMin} characters`)
  .max(passwordLengthMax, `a password has at most ${passwordLengthMax} characters`);
export const localeSchema = z.enum(['en', 'zh']);

export const newPersonSchema = z.strictObject({ email: emailSchema, name: nameSchema, locale: localeSchema.default('en') });
export type NewPerson = z.input<typeof newPersonSchema>;

export const memberPlaceSchema = z.strictObject({ organizationId: z.uuid(), personId: z.uuid() });
export type MemberPlace = z.input<typeof memberPlaceSchema>;
export const memberRoleSchema = memberPlaceSchema.extend({ role: roleSchema });
export type MemberRole = z.input<typeof memberRoleSchema>;

export const newInvitationSchema = z.strictObject({
  organizationId: z.uuid(),
  email: emailSchema,
  role: roleSchema,
  /** The person who invites; null: an operator or a token. */
  invitedBy: z.uuid().nullable().default(null),
  locale: localeSchema.default('en'),
});
export type NewInvitation = z.input<typeof newInvitationSchema>;

export const placeSchema = z.strictObject({ organizationId: z.uuid(), id: z.uuid() });
export type Place = z.input<typeof placeSchema>;

export const newServiceTokenSchema = z
  .strictObject({
    organizationId: z.uuid(),
    name: nameSchema,
    role: roleSchema,
    permissions: z.array(z.string()).min(1, 'at least one permission is needed; leave it out for all of the role').max(100).nullable().default(null),
    expiresInDays: z.int().min(1).max(tokenDaysMax, `a token lives for ${tokenDaysMax} days at most`).default(90),
    createdBy: z.uuid().nullable().default(null),
  })
  .superRefine(({ role, permissions }, context) => {
    const unknown = (permissions ?? []).filter((permission) => !(permissionsOf(role) as ReadonlySet<string>).has(permission));
    if (unknown.length > 0) context.addIssue({ code: 'custom', path: ['permissions'], message: `the role ${role} has no ${unknown.join(', ')}` });
  });
export type NewServiceToken = z.input<typeof newServiceTokenSchema>;

/** `after` is the last id of the page before. */
export const pageSchema = z.strictObject({ after: z.uuid().optional(), limit: z.int().min(1).max(pageRowsMax).default(pageRowsMax) });
export type Page = z.input<typeof pageSchema>;
