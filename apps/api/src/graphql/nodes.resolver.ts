import { Args, Context, ID, Query, Resolver } from '@nestjs/graphql';
import { findApproval } from './approvals/approval.resolver.js';
import { loadApiKey, loadProject } from './keys/key.resolver.js';
import { loadTransaction } from './ledger/ledger.resolver.js';
import { limitsOf } from './limits/limit.resolver.js';
import { loadGrant } from './money/grant.resolver.js';
import { Operation } from './operation/operation.js';
import { loadOrganization } from './organizations/organization.resolver.js';
import { isUuid, readGlobalId, type NodeType } from './shapes/global-id.js';
import { NodeObject } from './shapes/node.type.js';
import { loadRequest } from './usage/request.resolver.js';

type Load = (operation: Operation, organizationId: string, id: string) => Promise<NodeObject | null>;

/** Types that an id alone finds again; others are found through their organization's lists. */
const loads: Partial<Record<NodeType, Load>> = {
  Organization: (operation, _, id) => loadOrganization(operation, id),
  Grant: loadGrant,
  Project: loadProject,
  ApiKey: loadApiKey,
  Request: loadRequest,
  LedgerTransaction: loadTransaction,
  Approval: findApproval,
  Limit: async (operation, organizationId, id) => {
    if (!operation.findReadingOf(organizationId, 'limits.read', 'staff.usage.read')) return null;
    return (await limitsOf(operation, organizationId)).find(({ row }) => row.id === id)?.limit ?? null;
  },
};

@Resolver()
export class NodesResolver {
  @Query(() => NodeObject, { nullable: true, description: 'The object of a global id; null where there is none, or it is not the viewer\'s.' })
  async node(@Context('operation') operation: Operation, @Args('id', { type: () => ID, description: 'Its global id.' }) id: string): Promise<NodeObject | null> {
    const found = readGlobalId(id);
    if (!found || !isUuid(found.id) || operation.viewer === null) return null;
    return (await loads[found.type]?.(operation, found.organizationId, found.id)) ?? null;
  }
}
