import { describe, expect, it } from '@jest/globals';
import { customerPermissions, customerRoles, permissionsOf, staffPermissions, staffRoles, type Role } from './permission.js';
import { allows, decide, type Viewer } from './viewer.js';

const own = 'own';
const child = 'child';
const foreign = 'foreign';
const person = (role: Role, changes: Partial<Viewer> = {}): Viewer => ({
  kind: 'person',
  id: 'p',
  memberships: [{ organizationId: own, role, descendantIds: [child] }],
  permissions: null,
  impersonating: null,
  ...changes,
});

describe('a decision', () => {
  it.each(customerRoles)("gives a customer's %s its permissions at home, and nothing of a stranger's", (role) => {
    for (const permission of customerPermissions) {
      expect(decide(person(role), permission, own)).toBe(permissionsOf(role).has(permission) ? 'allowed' : 'forbidden');
      expect(decide(person(role), permission, foreign)).toBe('not_found');
    }
    for (const permission of staffPermissions) expect(decide(person(role), permission, own)).toBe('not_found');
  });

  it('lets owner and billing of a parent read a child and pay for it, and hides the child from others', () => {
    for (const role of ['owner', 'billing'] as const) {
      expect(allows(person(role), 'usage.read', child)).toBe(true);
      expect(allows(person(role), 'grants.transfer', child)).toBe(true);
      expect(decide(person(role), 'keys.write', child)).toBe('forbidden');
    }
    for (const role of ['developer', 'viewer'] as const) expect(decide(person(role), 'usage.read', child)).toBe('not_found');
  });

  it.each(staffRoles)("keeps the company's %s to staff permissions, in its own organization too", (role) => {
    for (const permission of staffPermissions) expect(decide(person(role), permission, foreign)).toBe(permissionsOf(role).has(permission) ? 'allowed' : 'forbidden');
    for (const permission of customerPermissions) expect(decide(person(role), permission, own)).toBe('not_found');
  });

  it('lets an impersonator read one organization, change nothing, and be no staff meanwhile', () => {
    const viewer = person('support', { impersonating: foreign });
    expect(allows(viewer, 'usage.read', foreign)).toBe(true);
    expect(decide(viewer, 'keys.write', foreign)).toBe('forbidden');
    expect(decide(viewer, 'keys.read', foreign)).toBe('forbidden');
    expect(decide(viewer, 'usage.read', own)).toBe('not_found');
    expect(decide(viewer, 'staff.money.read', foreign)).toBe('not_found');
  });

  it('narrows a token to what it was given', () => {
    const token = person('owner', { kind: 'token', permissions: new Set(['usage.read']) });
    expect(allows(token, 'usage.read', own)).toBe(true);
    expect(decide(token, 'keys.write', own)).toBe('forbidden');
    const staff = person('admin', { kind: 'token', permissions: new Set(['staff.usage.read']) });
    expect(decide(staff, 'staff.money.write', null)).toBe('forbidden');
  });

  it('knows no organization where none is named', () => {
    expect(decide(person('owner'), 'usage.read', null)).toBe('not_found');
  });
});
