import { describe, expect, it } from '@jest/globals';
import { customerPermissions, customerRoles, isStaffRole, permissionsOf, staffPermissions, staffRoles, type Role } from '@kilotoken/access';
import { openPlaces, organizationPlaces, staffPlaces, type PlaceName } from './places.ts';

const reading: readonly PlaceName[] = ['overview', 'usage', 'requests', 'projects', 'limits', 'balance', 'team', 'settings'];
const operating: readonly PlaceName[] = ['operations', 'lanes', 'gateways', 'queues', 'quarantine', 'reconcile'];

const expected: Readonly<Record<Role, readonly PlaceName[]>> = {
  owner: [...reading, 'playground', 'keys', 'webhooks', 'tokens', 'audit'],
  developer: [...reading, 'playground', 'keys', 'webhooks', 'tokens'],
  billing: [...reading, 'audit'],
  viewer: reading,
  admin: ['organizations', 'approvals', ...operating, 'ledger', 'staffAudit'],
  finance: ['organizations', 'approvals', 'ledger', 'staffAudit'],
  support: ['organizations', ...operating, 'ledger'],
  sales_manager: [],
  seller: [],
};

const names = (groups: ReturnType<typeof openPlaces>): string[] => groups.flatMap(({ places }) => places.map(({ name }) => name));

describe('the menu', () => {
  it('asks for permissions that there are', () => {
    for (const { places } of organizationPlaces) for (const { permission } of places) expect(customerPermissions).toContain(permission);
    for (const { places } of staffPlaces) for (const { permission } of places) expect(staffPermissions).toContain(permission);
  });

  it.each(Object.entries(expected))('of %s has the places of that role', (role, places) => {
    const groups = isStaffRole(role as Role) ? staffPlaces : organizationPlaces;
    expect(names(openPlaces(groups, permissionsOf(role as Role))).sort()).toEqual([...places].sort());
  });

  it('is known for every role', () => expect(Object.keys(expected).sort()).toEqual([...customerRoles, ...staffRoles].sort()));
});
