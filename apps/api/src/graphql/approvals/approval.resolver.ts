import { Args, Context, InputType, Mutation, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { decideApproval, getApproval, listApprovals, mayDecide, type Approval as StoredApproval, type ApprovalStatus as StoredStatus } from '@kilotoken/accounts';
import { formatMoney } from '@kilotoken/money';
import { AppError, throughPg } from '@kilotoken/platform';
import { Operation } from '../operation/operation.js';
import type { Reading } from '../operation/reading.js';
import { loadOrganizationOf } from '../organizations/organization.resolver.js';
import { Organization } from '../organizations/organization.type.js';
import { toActor } from '../people/actor.js';
import { ChangeInput } from '../shapes/change-input.js';
import { connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { Flag, Id, optional, Text } from '../shapes/field.js';
import { globalId } from '../shapes/global-id.js';
import { placeOf, resultUnion } from '../shapes/problem.type.js';
import { Approval, ApprovalConnection, ApprovalStatus } from './approval.type.js';

const toApproval = async (operation: Operation, reading: Reading, approval: StoredApproval): Promise<Approval> => ({
  __typename: 'Approval',
  id: globalId('Approval', approval.organizationId, approval.id),
  organizationId: approval.organizationId,
  kind: approval.kind,
  status: approval.status as ApprovalStatus,
  unit: approval.unit,
  amount: formatMoney(approval.amount),
  summary: approval.payload,
  requestedBy: await toActor(reading, approval.requestedBy),
  requestedAt: approval.requestedAt,
  decidedBy: approval.decidedBy && (await toActor(reading, approval.decidedBy)),
  decidedAt: approval.decidedAt,
  reason: approval.reason,
  expiresAt: approval.expiresAt,
  mayDecide: mayDecide(operation.signedIn, approval),
});

const readingOf = (operation: Operation, organizationId: string): Reading => operation.readingOf(organizationId, 'balances.read', 'staff.money.read');

/** Null where there is none, or it is not the viewer's. */
export const findApproval = async (operation: Operation, organizationId: string, id: string): Promise<Approval | null> => {
  if (!operation.findReadingOf(organizationId, 'balances.read', 'staff.money.read')) return null;
  return loadApproval(operation, organizationId, id).catch((error: unknown) => {
    if (error instanceof AppError && error.kind === 'not_found') return null;
    throw error;
  });
};

/** Throws `approval_not_found`. */
export const loadApproval = async (operation: Operation, organizationId: string, id: string): Promise<Approval> => {
  const reading = readingOf(operation, organizationId);
  return toApproval(operation, reading, await reading.run((db) => getApproval(throughPg(db), organizationId, id)));
};

const page = async (operation: Operation, reading: Reading, args: PageArgs, organizationId: string | null, status: ApprovalStatus | null): Promise<Connection<Approval>> => {
  const asked = readPage(args, ['uuid']);
  const rows = await reading.run((db) => listApprovals(throughPg(db), { organizationId, status: status as StoredStatus | null, after: asked.after?.[0] ?? null, limit: asked.first + 1 }));
  const approvals = await Promise.all(rows.map((row) => toApproval(operation, reading, row)));
  const keys = new Map(approvals.map((approval, index) => [approval, rows[index]!.id]));
  return connectionOf(approvals, asked, (approval) => [keys.get(approval)!], (approval) => approval);
};

@InputType({ description: 'A decision on an approval.' })
export class DecideApprovalInput extends ChangeInput {
  @Id('The approval.')
  readonly id!: string;

  @Flag('True approves and does it, false refuses.')
  readonly approve!: boolean;

  @Text('Why; a refusal needs it.', optional)
  readonly reason?: string | null;
}
const DecideApprovalResult = resultUnion('DecideApprovalResult', Approval);

@Resolver(() => Approval)
export class ApprovalResolver {
  @Query(() => ApprovalConnection, { description: 'Approvals of all organizations, the newest first. Of the staff.' })
  approvals(
    @Context('operation') operation: Operation,
    @Args() args: PageArgs,
    @Args('status', { type: () => ApprovalStatus, nullable: true, description: 'With this fate.' }) status: ApprovalStatus | null,
  ): Promise<Connection<Approval>> {
    return page(operation, operation.staffReadingFor('staff.money.read'), args, null, status ?? null);
  }

  @ResolveField(() => Organization, { description: 'The organization whose grant it is.' })
  organization(@Context('operation') operation: Operation, @Parent() { organizationId }: Approval): Promise<Organization> {
    return loadOrganizationOf(operation, organizationId);
  }

  @Mutation(() => DecideApprovalResult, { description: 'Approves what somebody else asked for, which is done at once, or refuses it. Of people of finance and admins.' })
  decideApproval(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: DecideApprovalInput) {
    return operation.change('decideApproval', input, async (changes) => {
      operation.require('staff.approve', null);
      const { organizationId, id } = placeOf('Approval', input.id);
      await changes.throughPool(organizationId, async (_, db) => {
        await decideApproval(throughPg(db), operation.signedIn, { organizationId, id, approve: input.approve, reason: input.reason ?? null });
      });
      return loadApproval(operation, organizationId, id);
    });
  }
}

@Resolver(() => Organization)
export class OrganizationApprovalsResolver {
  @ResolveField(() => ApprovalConnection, { description: 'Acts on its grants that waited for a second person, the newest first.' })
  approvals(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization, @Args() args: PageArgs): Promise<Connection<Approval>> {
    return page(operation, readingOf(operation, organizationId), args, organizationId, null);
  }
}
