import { Context, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { Operation } from '../operation/operation.js';
import { Organization } from '../organizations/organization.type.js';
import { isBudget, toBudget, toLimit } from './limit.js';
import { listLimits, type LimitRow } from './limit.store.js';
import { Budget, Limit } from './limit.type.js';

const loadRows = (operation: Operation, organizationId: string): Promise<LimitRow[]> =>
  operation.readingOf(organizationId, 'limits.read', 'staff.usage.read').load('limits', null, organizationId, listLimits);

/** The limits of an organization, read once an operation. */
export const limitsOf = async (operation: Operation, organizationId: string): Promise<{ row: LimitRow; limit: Limit }[]> =>
  (await loadRows(operation, organizationId)).map((row) => ({ row, limit: toLimit(row) }));

@Resolver(() => Organization)
export class OrganizationLimitsResolver {
  @ResolveField(() => [Limit], { description: 'Its limits in the order of their making; budgets are apart.' })
  async limits(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<Limit[]> {
    return (await limitsOf(operation, organizationId)).flatMap(({ row, limit }) => (isBudget(row) ? [] : [limit]));
  }

  @ResolveField(() => [Budget], { description: 'Its budgets in the order of their making.' })
  async budgets(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<Budget[]> {
    return (await loadRows(operation, organizationId)).filter(isBudget).map((row) => toBudget(row, [], []));
  }
}
