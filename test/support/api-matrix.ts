/**
 * Whom each operation answers, written out by hand: the matrix test compares it with what the server does for every role and for an own, a child's and
 * a foreign organization. A new operation or field of an organization fails that test until it stands here.
 */
import type { Role } from '@kilotoken/access';
import { idOf, type ApiWorld, type WorldOrganization } from './api-world.js';

export interface Case {
  /** The text of the field, or the arguments of a mutation, for an organization of the test's world. */
  readonly text: (organization: WorldOrganization, world: ApiWorld) => string | Promise<string>;
  /** Roles at home. Undefined: it is no deed of customers at all. */
  readonly own?: readonly Role[];
  /** Roles of a parent whose reach includes it. */
  readonly child?: readonly Role[];
  readonly staff?: readonly Role[];
  /** Answers everybody who is signed in, with what is theirs. */
  readonly everybody?: true;
}

const all: readonly Role[] = ['owner', 'developer', 'billing', 'viewer'];
const parents: readonly Role[] = ['owner', 'billing'];
const overseers: readonly Role[] = ['admin', 'finance', 'support'];

const field = (text: string, own: readonly Role[], child: readonly Role[], staff: readonly Role[]): Case => ({ text: () => text, own, child, staff });
const page = (name: string): string => `${name} { nodes { __typename } }`;

export const matrixOfFields: Readonly<Record<string, Case>> = {
  parent: field('parent { id }', all, parents, overseers),
  children: field(page('children'), all, parents, overseers),
  permissions: field('permissions', all, parents, overseers),
  balances: field('balances { unit }', all, parents, overseers),
  grants: field(page('grants'), all, parents, overseers),
  projects: field(page('projects'), all, parents, overseers),
  apiKeys: field(page('apiKeys'), ['owner', 'developer'], [], overseers),
  limits: field('limits { id }', all, parents, overseers),
  budgets: field('budgets { id }', all, parents, overseers),
  alertSettings: field('alertSettings { email }', all, parents, overseers),
  members: field(page('members'), all, parents, ['admin', 'support']),
  invitations: field('invitations { id }', all, parents, ['admin', 'support']),
  serviceTokens: field('serviceTokens { id }', ['owner', 'developer'], [], ['admin', 'support']),
  webhookEndpoints: field('webhookEndpoints { id }', ['owner', 'developer'], [], ['admin', 'support']),
  webhookDeliveries: field(page('webhookDeliveries'), ['owner', 'developer'], [], ['admin', 'support']),
  models: field('models { id }', all, parents, overseers),
  usageSeries: field('usageSeries(input: { grain: DAY, from: "2026-01-01T00:00:00Z", until: "2026-01-02T00:00:00Z" }) { grain }', all, parents, overseers),
  usageFilters: field('usageFilters { models }', all, parents, overseers),
  requests: field(page('requests'), all, parents, overseers),
  request: { text: ({ requestId }) => `request(id: "${requestId}") { id }`, own: all, child: parents, staff: overseers },
  ledger: field(page('ledger'), all, parents, overseers),
  approvals: field(page('approvals'), all, parents, overseers),
  auditLog: field(page('auditLog'), ['owner', 'billing'], [], ['admin', 'finance']),
};

const staffOnly = (text: string, staff: readonly Role[]): Case => ({ text: () => text, staff });

export const matrixOfQueries: Readonly<Record<string, Case>> = {
  viewer: { text: () => 'viewer { id }', everybody: true },
  node: { text: ({ globalId }) => `node(id: "${globalId}") { id }`, everybody: true },
  organization: { text: ({ globalId }) => `organization(id: "${globalId}") { id }`, everybody: true },
  organizations: staffOnly(page('organizations'), overseers),
  approvals: staffOnly(page('approvals'), overseers),
  auditLog: staffOnly(page('auditLog'), ['admin', 'finance']),
  models: staffOnly('models { id }', ['admin', 'support']),
  lanes: staffOnly('lanes { id }', ['admin', 'support']),
  gateways: staffOnly('gateways { id }', ['admin', 'support']),
  queues: staffOnly('queues { name }', ['admin', 'support']),
  deadLetters: staffOnly(page('deadLetters'), ['admin', 'support']),
  quarantine: staffOnly(page('quarantine'), ['admin', 'support']),
  reconcileRuns: staffOnly(page('reconcileRuns'), ['admin', 'support']),
  ledgerAccounts: staffOnly('ledgerAccounts { name }', overseers),
  operationsOverview: staffOnly('operationsOverview { organizations }', ['admin', 'support']),
};

const input = (fields: string): string => `(input: { ${fields} })`;
const makers: readonly Role[] = ['owner', 'developer'];
const payers: readonly Role[] = ['owner', 'billing'];

/** Inputs are wrong on purpose where a right one would change what later cases need: authorization is asked first. */
export const matrixOfMutations: Readonly<Record<string, Case>> = {
  createOrganization: { text: () => input('slug: "NOT A SLUG", name: "x"'), staff: ['admin'] },
  updateOrganization: { text: ({ globalId }) => input(`organizationId: "${globalId}", timeZone: "nowhere"`), own: ['owner'], child: [], staff: ['admin'] },
  createProject: { text: ({ globalId }) => input(`organizationId: "${globalId}", name: ""`), own: makers, child: [] },
  archiveProject: { text: ({ projectId }) => input(`id: "${projectId}"`), own: makers, child: [] },
  createApiKey: { text: ({ projectId }) => input(`projectId: "${projectId}", name: ""`), own: makers, child: [] },
  rollApiKey: { text: ({ apiKeyId }) => input(`id: "${apiKeyId}", overlapSeconds: -1`), own: makers, child: [] },
  revokeApiKey: { text: ({ revokedKeyId }) => input(`id: "${revokedKeyId}"`), own: makers, child: [] },
  updateApiKey: { text: ({ apiKeyId }) => input(`id: "${apiKeyId}", name: ""`), own: makers, child: [] },
  setLimit: { text: ({ globalId }) => input(`organizationId: "${globalId}", subject: { kind: "nothing" }, measure: "requests", window: "day", amount: "1"`), own: makers, child: [] },
  removeLimit: { text: async ({ id }, world) => input(`id: "${await world.addLimit(id, 'Limit')}"`), own: makers, child: [] },
  setBudget: { text: ({ globalId }) => input(`organizationId: "${globalId}", subject: { kind: "nothing" }, unit: "USD", period: "month", amount: "1"`), own: payers, child: [] },
  removeBudget: { text: async ({ id }, world) => input(`id: "${await world.addLimit(id, 'Budget')}"`), own: payers, child: [] },
  setAlerts: { text: ({ globalId }) => input(`organizationId: "${globalId}", email: "no address", lowBalances: []`), own: payers, child: [] },
  inviteMember: { text: ({ globalId }) => input(`organizationId: "${globalId}", email: "no address", role: VIEWER`), own: ['owner'], child: [], staff: ['admin'] },
  revokeInvitation: { text: async ({ id }, world) => input(`id: "${await world.addInvitation(id)}"`), own: ['owner'], child: [], staff: ['admin'] },
  setMemberRole: { text: ({ globalId, personId }) => input(`organizationId: "${globalId}", personId: "${idOf('Person', '', personId)}", role: ADMIN`), own: ['owner'], child: [], staff: ['admin'] },
  removeMember: { text: ({ globalId, personId }) => input(`organizationId: "${globalId}", personId: "${idOf('Person', '', personId)}"`), own: ['owner'], child: [], staff: ['admin'] },
  createServiceToken: { text: ({ globalId }) => input(`organizationId: "${globalId}", name: "", role: VIEWER, expiresAt: "2100-01-01T00:00:00Z"`), own: ['owner'], child: [], staff: ['admin'] },
  revokeServiceToken: { text: async ({ id }, world) => input(`id: "${await world.addToken(id)}"`), own: ['owner'], child: [], staff: ['admin'] },
  startImpersonation: { text: ({ globalId }) => input(`organizationId: "${globalId}", reason: ""`), staff: ['admin', 'support'] },
  endImpersonation: { text: () => '', everybody: true },
  createWebhookEndpoint: { text: ({ globalId }) => input(`organizationId: "${globalId}", url: "no address"`), own: makers, child: [] },
  removeWebhookEndpoint: { text: async ({ id }, world) => input(`id: "${await world.addEndpoint(id)}"`), own: makers, child: [] },
  rollWebhookSecret: { text: ({ endpointId }) => input(`id: "${endpointId}"`), own: makers, child: [] },
  issueGrant: { text: ({ globalId }) => input(`organizationId: "${globalId}", unit: "USD", amount: "0", source: "prepaid"`), staff: ['admin', 'finance'] },
  adjustGrant: { text: ({ grantId }) => input(`grantId: "${grantId}", amount: "0", reason: "none"`), staff: ['admin', 'finance'] },
  refundGrant: { text: ({ grantId }) => input(`grantId: "${grantId}", amount: "0", reason: "none"`), staff: ['admin', 'finance'] },
  transferGrant: { text: ({ grantId, globalId }) => input(`grantId: "${grantId}", toOrganizationId: "${globalId}", amount: "0"`), own: payers, child: payers },
  decideApproval: { text: async ({ id }, world) => input(`id: "${await world.addApproval(id)}", approve: false`), staff: ['admin', 'finance'] },
  setLaneDrain: { text: (_, { laneId }) => input(`id: "${laneId}", drain: false`), staff: ['admin'] },
  retryJob: { text: (_, { jobId }) => input(`id: "${jobId}"`), staff: ['admin'] },
  openPlayground: { text: ({ projectId }) => input(`projectId: "${projectId}"`), own: makers, child: [] },
};

export const matrixOfSubscriptions: Readonly<Record<string, Case>> = {
  balanceChanged: { text: ({ globalId }) => `balanceChanged(organizationId: "${globalId}") { unit }`, own: all, child: parents, staff: overseers },
  requestSettled: { text: ({ globalId }) => `requestSettled(organizationId: "${globalId}") { id }`, own: all, child: parents, staff: overseers },
};
