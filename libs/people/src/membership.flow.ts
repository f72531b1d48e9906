import { changeThrough, type ControlPool, type Db } from '@kilotoken/platform';
import { memberPlaceSchema, memberRoleSchema, pageSchema, type Member, type MemberPlace, type MemberRole, type Page } from './people.js';
import { explaining, notFound, parseInput } from './people.errors.js';
import { deleteMember, findMember, listMemberRows, putMember, updateRole } from './membership.store.js';

const memberNotFound = () => notFound('member', 'The organization has no such member.');

/** In the order of their ids, inside a transaction that may read the organization. */
export const listMembers = (db: Db, organizationId: string, page: Page = {}): Promise<Member[]> => {
  const { after, limit } = parseInput(pageSchema, page);
  return listMemberRows(db, organizationId, after, limit);
};

/** Throws `member_not_found`, `people_invalid` for a role of the other kind of organization, or `last_owner`. */
export const setMemberRole = async (pool: ControlPool, input: MemberRole): Promise<Member> => {
  const { organizationId, personId, role } = parseInput(memberRoleSchema, input);
  return explaining(
    changeThrough(pool, organizationId, async (db) => {
      if (!(await updateRole(db, organizationId, personId, role))) throw memberNotFound();
      return (await findMember(db, organizationId, personId))!;
    }),
  );
};

/** Makes a person a member without an invitation: for operators and seeds. The same member gets the role. Throws as `setMemberRole`. */
export const putMembership = async (pool: ControlPool, input: MemberRole): Promise<void> => {
  const { organizationId, personId, role } = parseInput(memberRoleSchema, input);
  await explaining(changeThrough(pool, organizationId, (db) => putMember(db, organizationId, personId, role)));
};

/** The person stays, and stays a member of their other organizations. Throws `member_not_found` or `last_owner`. */
export const removeMember = async (pool: ControlPool, input: MemberPlace): Promise<void> => {
  const { organizationId, personId } = parseInput(memberPlaceSchema, input);
  const removed = await explaining(changeThrough(pool, organizationId, (db) => deleteMember(db, organizationId, personId)));
  if (!removed) throw memberNotFound();
};
