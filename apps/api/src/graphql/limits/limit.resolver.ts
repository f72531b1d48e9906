import { Context, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { Operation } from '../operation/operation.js';
import { Organization } from '../organizations/organization.type.js';
import { exact } from '../shapes/exact.js';
import { isBudget, toBudget, toLimit } from './limit.js';
import { listLimits, readAlertSettings, type LimitRow } from './limit.store.js';
import { AlertSettings, Budget, Limit } from './limit.type.js';

const loadRows = (operation: Operation, organizationId: string): Promise<LimitRow[]> =>
  operation.readingOf(organizationId, 'limits.read', 'staff.usage.read').load('limits', null, organizationId, listLimits);

/** The limits of an organization, read once an operation. */
export const limitsOf = async (operation: Operation, organizationId: string): Promise<{ row: LimitRow; limit: Limit }[]> =>
  (await loadRows(operation, organizationId)).map((row) => ({ row, limit: toLimit(row) }));

/** The limits on one line of keys. */
export const limitsOfKey = async (operation: Operation, organizationId: string, lineageId: string): Promise<Limit[]> =>
  (await loadRows(operation, organizationId)).filter(({ subjectKind, subjectId }) => subjectKind === 'key' && subjectId === lineageId).map(toLimit);

/** The budgets of an organization, read with its limits. */
export const budgetsOf = async (operation: Operation, organizationId: string): Promise<{ id: string; budget: Budget }[]> =>
  (await loadRows(operation, organizationId)).filter(isBudget).map((row) => ({ id: row.id, budget: toBudget(row) }));

export const alertSettingsOf = async (operation: Operation, organizationId: string): Promise<AlertSettings> => {
  const { email, lowBalances } = await operation.readingOf(organizationId, 'limits.read', 'staff.usage.read').load('alert settings', null, organizationId, readAlertSettings);
  return { __typename: 'AlertSettings', email, lowBalances: lowBalances.map(({ unit, amount }) => ({ unit, amount: exact(amount) })) };
};

@Resolver(() => Organization)
export class OrganizationLimitsResolver {
  @ResolveField(() => [Limit], { description: 'Its limits in the order of their making; budgets are apart.' })
  async limits(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<Limit[]> {
    return (await limitsOf(operation, organizationId)).flatMap(({ row, limit }) => (isBudget(row) ? [] : [limit]));
  }

  @ResolveField(() => [Budget], { description: 'Its budgets in the order of their making.' })
  async budgets(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<Budget[]> {
    return (await budgetsOf(operation, organizationId)).map(({ budget }) => budget);
  }

  @ResolveField(() => AlertSettings, { description: 'Where and when it is told of its money.' })
  alertSettings(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<AlertSettings> {
    return alertSettingsOf(operation, organizationId);
  }
}
