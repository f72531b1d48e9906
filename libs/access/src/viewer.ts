import { impersonationPermissions, isStaffRole, permissionsOf, reachOfParent, type Permission, type Role } from './permission.js';

export interface Membership {
  readonly organizationId: string;
  readonly role: Role;
  /** Organizations below this one in its account tree, at any depth. */
  readonly descendantIds: readonly string[];
}

/** The one who asks. Resolved anew for each operation, so that a role that was taken away is gone at once. */
export interface Viewer {
  readonly kind: 'person' | 'token';
  /** A person's or a token's id. */
  readonly id: string;
  readonly memberships: readonly Membership[];
  /** A token's own narrowing; null: everything that its role may. */
  readonly permissions: ReadonlySet<Permission> | null;
  /** The organization whose pages staff look at; null: nobody's but one's own. */
  readonly impersonating: string | null;
}

export type Decision = 'allowed' | 'forbidden' | 'not_found';

/**
 * Answers whether the viewer may do something in an organization. What is not the viewer's is not found, so that an id tells nothing about
 * what exists. Staff permissions ask for no organization of the viewer's.
 */
export const decide = (viewer: Viewer, permission: Permission, organizationId: string | null): Decision => {
  if (permission.startsWith('staff.')) return decideForStaff(viewer, permission);
  if (organizationId === null) return 'not_found';
  const reaching = setsThatReach(viewer, organizationId);
  if (reaching.length === 0) return 'not_found';
  return reaching.some((permissions) => permissions.has(permission)) && isWithinToken(viewer, permission) ? 'allowed' : 'forbidden';
};

export const allows = (viewer: Viewer, permission: Permission, organizationId: string | null): boolean => decide(viewer, permission, organizationId) === 'allowed';

/** The viewer's role in the company; null for customers, and while staff look at a customer's pages. */
export const staffRoleOf = (viewer: Viewer): Role | null => (viewer.impersonating === null ? (viewer.memberships.find(({ role }) => isStaffRole(role))?.role ?? null) : null);

const decideForStaff = (viewer: Viewer, permission: Permission): Decision => {
  const role = staffRoleOf(viewer);
  if (role === null) return 'not_found';
  return permissionsOf(role).has(permission) && isWithinToken(viewer, permission) ? 'allowed' : 'forbidden';
};

const setsThatReach = (viewer: Viewer, organizationId: string): ReadonlySet<Permission>[] => {
  if (viewer.impersonating !== null) return viewer.impersonating === organizationId ? [impersonationPermissions] : [];
  return viewer.memberships.flatMap((membership) => {
    if (isStaffRole(membership.role)) return [];
    if (membership.organizationId === organizationId) return [permissionsOf(membership.role)];
    const reach = reachOfParent(membership.role);
    return reach.size > 0 && membership.descendantIds.includes(organizationId) ? [reach] : [];
  });
};

const isWithinToken = ({ permissions }: Viewer, permission: Permission): boolean => permissions === null || permissions.has(permission);
