import { Args, Context, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { Operation } from '../operation/operation.js';
import { loadOrganizationOf } from '../organizations/organization.resolver.js';
import { Organization } from '../organizations/organization.type.js';
import { connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { toBalance } from './balance.js';
import { readBalances } from './balance.store.js';
import { findGrants, listGrantRows, toGrant } from './grant.store.js';
import { Balance, Grant, GrantConnection, GrantState } from './grant.type.js';

/** A grant that the viewer may read; null where there is none, or it is not the viewer's. */
export const loadGrant = async (operation: Operation, organizationId: string, id: string): Promise<Grant | null> => {
  const row = await operation.findReadingOf(organizationId, 'balances.read', 'staff.money.read')?.load('grant', null, { organizationId, id }, findGrants);
  return row ? toGrant(row) : null;
};

@Resolver(() => Organization)
export class OrganizationMoneyResolver {
  @ResolveField(() => [Balance], { description: 'Its balances, one a unit.' })
  async balances(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<Balance[]> {
    const rows = await operation.readingOf(organizationId, 'balances.read', 'staff.money.read').load('balances', null, organizationId, readBalances);
    return rows.map(toBalance);
  }

  @ResolveField(() => GrantConnection, { description: 'Its grants, the newest first.' })
  async grants(
    @Context('operation') operation: Operation,
    @Parent() { organizationId }: Organization,
    @Args() args: PageArgs,
    @Args('state', { type: () => GrantState, nullable: true, description: 'In this part of their life.' }) state: GrantState | null,
  ): Promise<Connection<Grant>> {
    const reading = operation.readingOf(organizationId, 'balances.read', 'staff.money.read');
    const page = readPage(args, ['uuid']);
    const rows = await reading.load('grants', { page, state }, organizationId, (db, ids) => listGrantRows(db, ids, page, state ?? null));
    return connectionOf(rows, page, ({ id }) => [id], toGrant);
  }
}

@Resolver(() => Grant)
export class GrantResolver {
  @ResolveField(() => Organization, { description: 'The organization that may spend it.' })
  organization(@Context('operation') operation: Operation, @Parent() { organizationId }: Grant): Promise<Organization> {
    return loadOrganizationOf(operation, organizationId);
  }
}

