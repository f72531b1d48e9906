import { randomBytes } from 'node:crypto';
import { nameSchema } from '@kilotoken/identity';
import { actingAs, changeThrough, mintId, type ControlPool, type Db } from '@kilotoken/platform';
import { z } from 'zod';
import { acceptInvitationRow, findOpenInvitation, insertInvitation, listInvitationRows, revokeInvitations, type OpenInvitation } from './invitation.store.js';
import { isMember } from './membership.store.js';
import { hashPassword, isPassword } from './password.client.js';
import { invitationMsMax, localeSchema, newInvitationSchema, pageSchema, passwordSchema, placeSchema, type Invitation, type NewInvitation, type Page, type Place } from './people.js';
import { conflict, explaining, notFound, parseInput } from './people.errors.js';
import { invitationLink, putPersonMail, type Mailing } from './person-mail.store.js';
import { findPassword, findPerson, insertPerson, putPassword } from './person.store.js';
import { hashSecret, mintLinkSecret } from './secret-text.js';

/**
 * Mails a link to the address, which makes its owner a member. Earlier invitations of the address end. Throws `member_exists`, or `people_invalid` for a
 * role of the other kind of organization.
 */
export const inviteMember = async (pool: ControlPool, mailing: Mailing, input: NewInvitation): Promise<Invitation> => {
  const { organizationId, email, role, invitedBy, locale } = parseInput(newInvitationSchema, input);
  const secret = mintLinkSecret(randomBytes);
  const id = mintId(Date.now());
  return explaining(
    changeThrough(pool, organizationId, async (db) => {
      if (await isMember(db, organizationId, email)) throw conflict('member_exists', 'The organization has a member with this address already.');
      await revokeInvitations(db, organizationId, { email });
      const invitation = await insertInvitation(db, { organizationId, id, email, role, tokenHash: hashSecret(secret), invitedBy, expiresMs: invitationMsMax });
      const { rows } = await db.query<{ name: string }>('SELECT name FROM organization WHERE id = $1', [organizationId]);
      await putPersonMail(db, mailing, `invitation/${id}`, { email, locale }, { kind: 'invitation', organizationName: rows[0]?.name ?? '', role, link: invitationLink(mailing, secret) });
      return invitation;
    }),
  );
};

/** The newest first, inside a transaction that may read the organization. */
export const listInvitations = (db: Db, organizationId: string, page: Page = {}): Promise<Invitation[]> => {
  const { after, limit } = parseInput(pageSchema, page);
  return listInvitationRows(db, organizationId, after, limit);
};

/** Throws `invitation_not_found` where none waits by this id. */
export const revokeInvitation = async (pool: ControlPool, input: Place): Promise<void> => {
  const { organizationId, id } = parseInput(placeSchema, input);
  if ((await changeThrough(pool, organizationId, (db) => revokeInvitations(db, organizationId, { id }))) === 0) throw notFound('invitation', 'The organization has no such invitation that waits.');
};

/** The invitation behind a link, and whether its address belongs to a person already. Throws `invitation_not_found`. */
export const lookUpInvitation = async (signIn: ControlPool, secret: string): Promise<OpenInvitation & { readonly isKnown: boolean }> => {
  const invitation = await findOpenInvitation(signIn, hashSecret(secret));
  if (!invitation) throw notFound('invitation', 'The invitation was used, revoked or has expired. Ask for a new one.');
  return { ...invitation, isKnown: (await findPerson(signIn, { email: invitation.email })) !== null };
};

const acceptanceSchema = z.strictObject({ token: z.string().min(20).max(100), name: nameSchema.optional(), password: passwordSchema, locale: localeSchema.default('en') });
export type Acceptance = z.input<typeof acceptanceSchema>;

/**
 * Makes the owner of the invited address a member: a new person with this name and password, or the person that there is, who proves it by
 * their password. The mail proved the address. Throws `invitation_not_found`, `people_invalid` or `password_wrong`.
 */
export const acceptInvitation = async (signIn: ControlPool, input: Acceptance): Promise<{ readonly organizationId: string; readonly personId: string; readonly email: string }> => {
  const { token, name, password, locale } = parseInput(acceptanceSchema, input);
  const { email } = await lookUpInvitation(signIn, token);
  const known = await findPerson(signIn, { email });
  if (known) await assertPassword(signIn, known.id, password);
  const personId = known?.id ?? mintId(Date.now());
  const hash = known ? null : await hashPassword(password);
  const organizationId = await explaining(
    changeThrough(actingAs(signIn, { kind: 'person', id: personId, name: null }), null, async (db) => {
      if (hash !== null) {
        await insertPerson(db, { id: personId, name: parseInput(z.object({ name: nameSchema }), { name }).name, email, locale, emailVerified: true });
        await putPassword(db, mintId(Date.now()), personId, hash);
      }
      return acceptInvitationRow(db, hashSecret(token), personId);
    }),
  );
  return { organizationId, personId, email };
};

const assertPassword = async (signIn: ControlPool, personId: string, password: string): Promise<void> => {
  const hash = await findPassword(signIn, personId);
  if (hash === null || !(await isPassword(hash, password))) throw conflict('password_wrong', 'This address belongs to somebody already. Give the password that you sign in with.');
};
