import { registerEnumType } from '@nestjs/graphql';
import type { Role } from '@kilotoken/access';

export enum RoleName {
  OWNER = 'owner',
  DEVELOPER = 'developer',
  BILLING = 'billing',
  VIEWER = 'viewer',
  ADMIN = 'admin',
  FINANCE = 'finance',
  SUPPORT = 'support',
  SALES_MANAGER = 'sales_manager',
  SELLER = 'seller',
}

registerEnumType(RoleName, {
  name: 'Role',
  description: 'What a person or token may do in an organization: the first four in a customer, the others in the company.',
  valuesMap: {
    OWNER: { description: 'All of the organization.' },
    DEVELOPER: { description: 'Projects, keys, limits and usage.' },
    BILLING: { description: 'Budgets, grants, alerts and usage; no keys.' },
    VIEWER: { description: 'Reads; no secrets.' },
    ADMIN: { description: 'All of the company but approving acts of their own.' },
    FINANCE: { description: 'Money, ledger and approvals of all organizations.' },
    SUPPORT: { description: 'Reads all organizations and looks at their pages.' },
    SALES_MANAGER: { description: 'Own profile.' },
    SELLER: { description: 'Own profile.' },
  },
});

export const roleName = (role: Role | string): RoleName => role as RoleName;
