/** Permissions within one organization, for its own people and tokens. */
export const customerPermissions = [
  'organization.read',
  'organization.write',
  'members.read',
  'members.write',
  'tokens.read',
  'tokens.write',
  'projects.write',
  'keys.read',
  'keys.write',
  'limits.read',
  'limits.write',
  'budgets.write',
  'alerts.write',
  'balances.read',
  'grants.transfer',
  'usage.read',
  'playground.use',
  'webhooks.read',
  'webhooks.write',
  'audit.read',
] as const;

/** Permissions of the company's staff. They hold for every organization. */
export const staffPermissions = [
  'staff.organizations.read',
  'staff.organizations.write',
  'staff.people.read',
  'staff.people.write',
  'staff.money.read',
  'staff.money.write',
  'staff.approve',
  'staff.usage.read',
  'staff.operations.read',
  'staff.operations.write',
  'staff.audit.read',
  'staff.impersonate',
  'staff.profile',
] as const;

export type CustomerPermission = (typeof customerPermissions)[number];
export type StaffPermission = (typeof staffPermissions)[number];
export type Permission = CustomerPermission | StaffPermission;

export const customerRoles = ['owner', 'developer', 'billing', 'viewer'] as const;
export const staffRoles = ['admin', 'finance', 'support', 'sales_manager', 'seller'] as const;

export type CustomerRole = (typeof customerRoles)[number];
export type StaffRole = (typeof staffRoles)[number];
export type Role = CustomerRole | StaffRole;

const reading = ['organization.read', 'members.read', 'limits.read', 'balances.read', 'usage.read'] as const satisfies readonly CustomerPermission[];

const granted: Readonly<Record<Role, readonly Permission[]>> = {
  owner: customerPermissions,
  developer: [...reading, 'keys.read', 'keys.write', 'projects.write', 'limits.write', 'playground.use', 'webhooks.read', 'webhooks.write', 'tokens.read'],
  billing: [...reading, 'budgets.write', 'alerts.write', 'grants.transfer', 'audit.read'],
  viewer: reading,
  // An admin may approve too; `decideApproval` refuses whoever asked.
  admin: staffPermissions,
  finance: ['staff.organizations.read', 'staff.money.read', 'staff.money.write', 'staff.approve', 'staff.usage.read', 'staff.audit.read', 'staff.profile'],
  support: ['staff.organizations.read', 'staff.people.read', 'staff.money.read', 'staff.usage.read', 'staff.operations.read', 'staff.impersonate', 'staff.profile'],
  sales_manager: ['staff.profile'],
  seller: ['staff.profile'],
};

const sets = new Map<Role, ReadonlySet<Permission>>(Object.entries(granted).map(([role, permissions]) => [role as Role, new Set(permissions)]));

export const permissionsOf = (role: Role): ReadonlySet<Permission> => sets.get(role)!;

export const isStaffRole = (role: Role): role is StaffRole => (staffRoles as readonly Role[]).includes(role);

/** Permissions that a parent's role has in each descendant of its organization. */
export const reachOfParent = (role: Role): ReadonlySet<Permission> => (role === 'owner' || role === 'billing' ? parentReach : nothing);

const parentReach: ReadonlySet<Permission> = new Set<Permission>([...reading, 'grants.transfer']);
const nothing: ReadonlySet<Permission> = new Set();

/** Permissions while staff look at a customer's pages: reading, and no secret. */
export const impersonationPermissions: ReadonlySet<Permission> = new Set<Permission>(reading);
