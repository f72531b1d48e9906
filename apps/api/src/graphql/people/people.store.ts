import type { Db } from '@kilotoken/platform';
import type { Page } from '../shapes/connection.js';
import { globalId, isUuid } from '../shapes/global-id.js';
import { rowByKey, rowsByKey } from '../shapes/grouping.js';
import type { Invitation, Member, Person, ServiceToken } from './person.type.js';
import { roleName } from './role.js';

interface PersonColumns {
  readonly personId: string;
  readonly personName: string;
  readonly email: string;
  readonly personCreatedAt: Date;
  readonly twoFactorEnabled: boolean;
}

const personColumns = 'p.id AS "personId", p.name AS "personName", p.email, p.created_at AS "personCreatedAt", p.two_factor_enabled AS "twoFactorEnabled"';

export const toPerson = ({ personId, personName, email, personCreatedAt }: PersonColumns): Person => ({
  __typename: 'Person', id: globalId('Person', '', personId), name: personName, email, createdAt: personCreatedAt,
});

interface MemberRow extends PersonColumns {
  readonly organizationId: string;
  readonly role: string;
  readonly since: Date;
}

export const toMember = (row: MemberRow): Member => ({ __typename: 'Member', person: toPerson(row), role: roleName(row.role), since: row.since, twoFactorEnabled: row.twoFactorEnabled });

/** The members of each organization, in the order of their first signing up. */
export const listMembers = async (db: Db, organizationIds: readonly string[], { first, after }: Page): Promise<MemberRow[][]> => {
  const { rows } = await db.query<MemberRow>(
    `SELECT m.* FROM unnest($1::uuid[]) o(id) CROSS JOIN LATERAL (
       SELECT m.organization_id AS "organizationId", m.role, m.created_at AS since, ${personColumns} FROM membership m JOIN person p ON p.id = m.person_id
       WHERE m.organization_id = o.id AND ($2::uuid IS NULL OR m.person_id > $2) ORDER BY m.person_id LIMIT $3) m`,
    [organizationIds, after?.[0] ?? null, first + 1],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

export const findMembers = async (db: Db, places: readonly { organizationId: string; personId: string }[]): Promise<(MemberRow | null)[]> => {
  const { rows } = await db.query<MemberRow>(
    `SELECT m.organization_id AS "organizationId", m.role, m.created_at AS since, ${personColumns}
     FROM unnest($1::uuid[], $2::uuid[]) w(organization_id, person_id) JOIN membership m ON m.organization_id = w.organization_id AND m.person_id = w.person_id JOIN person p ON p.id = m.person_id`,
    [places.map(({ organizationId }) => organizationId), places.map(({ personId }) => personId)],
  );
  return rowByKey(places.map(({ organizationId, personId }) => `${organizationId} ${personId}`), rows, ({ organizationId, personId }) => `${organizationId} ${personId}`);
};

/** Ids may be any text, as those of actors are. */
export const findPeople = async (db: Db, ids: readonly string[]): Promise<(PersonColumns | null)[]> => {
  const { rows } = await db.query<PersonColumns>(`SELECT ${personColumns} FROM person p WHERE p.id = ANY ($1::uuid[]) AND p.erased_at IS NULL`, [ids.filter(isUuid)]);
  return rowByKey(ids, rows, ({ personId }) => personId);
};

interface InvitationRow {
  readonly organizationId: string;
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly invitedBy: string | null;
}

export type InvitationWithInviter = Omit<Invitation, 'invitedBy'> & { readonly inviterId: string | null };
export const toInvitation = ({ organizationId, id, role, invitedBy, ...row }: InvitationRow): InvitationWithInviter => ({
  __typename: 'Invitation', ...row, id: globalId('Invitation', organizationId, id), role: roleName(role), inviterId: invitedBy,
});

/** The invitations of each organization that can be accepted, the newest first. */
export const listInvitations = async (db: Db, organizationIds: readonly string[]): Promise<InvitationRow[][]> => {
  const { rows } = await db.query<InvitationRow>(
    `SELECT organization_id AS "organizationId", id, email, role, created_at AS "createdAt", expires_at AS "expiresAt", invited_by AS "invitedBy"
     FROM invitation WHERE organization_id = ANY ($1::uuid[]) AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > kt_now() ORDER BY id DESC`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

interface TokenRow {
  readonly organizationId: string;
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly role: string;
  readonly permissions: string[] | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

export const toServiceToken = ({ organizationId, id, role, ...row }: TokenRow): ServiceToken => ({ __typename: 'ServiceToken', ...row, id: globalId('ServiceToken', organizationId, id), role: roleName(role) });

/** The service tokens of each organization, the newest first; those that ended long ago are left out. */
export const listServiceTokens = async (db: Db, organizationIds: readonly string[]): Promise<TokenRow[][]> => {
  const { rows } = await db.query<TokenRow>(
    `SELECT organization_id AS "organizationId", id, name, prefix, role, permissions, created_at AS "createdAt", expires_at AS "expiresAt", revoked_at AS "revokedAt", last_used_at AS "lastUsedAt"
     FROM service_token WHERE organization_id = ANY ($1::uuid[]) AND least(revoked_at, expires_at) > kt_now() - interval '90 days' ORDER BY id DESC`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

/** Names of tokens by their ids. */
export const findTokenNames = async (db: Db, ids: readonly string[]): Promise<(string | null)[]> => {
  const { rows } = await db.query<{ id: string; name: string }>('SELECT id, name FROM service_token WHERE id = ANY ($1::uuid[])', [ids.filter(isUuid)]);
  return rowByKey(ids, rows, ({ id }) => id).map((row) => row?.name ?? null);
};
