/** Every page of the console, for proofs that look at all of them and for screenshots. */
export interface ConsolePage {
  readonly name: string;
  readonly path: string;
  /** Null: for people who are not signed in. */
  readonly as: 'owner' | 'admin' | null;
}

const slugs = ['usage', 'requests', 'playground', 'api-keys', 'projects', 'webhooks', 'service-tokens', 'limits', 'balance', 'team', 'audit-log', 'settings'];
const staffSlugs = ['organizations', 'approvals', 'lanes', 'gateways', 'queues', 'quarantine', 'reconciliation', 'ledger', 'audit-log'];

/** `slug` names the organization of the owner; a request's page needs a request and stands apart. */
export const consolePages = (slug: string): readonly ConsolePage[] => [
  ...['sign-in', 'forgot-password', 'reset-password', 'accept-invitation'].map((name) => ({ name, path: `/${name}`, as: null })),
  { name: 'overview', path: `/o/${slug}`, as: 'owner' },
  ...slugs.map((name) => ({ name, path: `/o/${slug}/${name}`, as: 'owner' as const })),
  { name: 'profile', path: '/profile', as: 'owner' },
  { name: 'staff-operations', path: '/staff', as: 'admin' },
  ...staffSlugs.map((name) => ({ name: `staff-${name}`, path: `/staff/${name}`, as: 'admin' as const })),
  { name: 'staff-organization', path: `/staff/organizations/${slug}`, as: 'admin' },
];
