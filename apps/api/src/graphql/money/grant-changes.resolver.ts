import { Args, Context, InputType, Mutation, ObjectType, Resolver } from '@nestjs/graphql';
import { requestOrDo, type ApprovalKind, type MoneyActs, type MoneyResults } from '@kilotoken/accounts';
import type { GrantSource } from '@kilotoken/ledger';
import { mintId, throughPg } from '@kilotoken/platform';
import { loadApproval } from '../approvals/approval.resolver.js';
import { Approval } from '../approvals/approval.type.js';
import type { Changes } from '../operation/changes.js';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Count, Exact, Id, Moment, Of, optional, Text, Texts } from '../shapes/field.js';
import { notFound, placeOf, resultUnion } from '../shapes/problem.type.js';
import { loadGrant } from './grant.resolver.js';
import { Grant } from './grant.type.js';

@ObjectType({ description: 'The amount is above the limit of its kind: a second person of finance decides. Nothing has changed until then.' })
class AwaitsApproval {
  readonly __typename!: 'AwaitsApproval';

  @Of(() => Approval, 'The approval that it waits for.')
  readonly approval!: Approval;
}

@InputType({ description: 'A new grant.' })
export class IssueGrantInput extends ChangeInput {
  @Id('The organization that may spend it.')
  readonly organizationId!: string;

  @Text('A currency, or the unit of a package.')
  readonly unit!: string;

  @Exact('How much, above zero.')
  readonly amount!: string;

  @Text('Its kind: `package`, `prepaid`, `promotion`, `free_quota`, `allowance`, `commitment`, `sla_credit` or `credit_line`.')
  readonly source!: string;

  @Text('The order, payment or ticket behind it; once per kind. One is made up if left out.', optional)
  readonly reference?: string | null;

  @Moment('Until when it may be used; for good if left out.', optional)
  readonly expiresAt?: Date | null;

  @Count('Lower burns first; 100 if left out.', optional)
  readonly priority?: number | null;

  @Texts('The models that it may pay for; all if left out.', optional)
  readonly scope?: string[] | null;
}
const IssueGrantResult = resultUnion('IssueGrantResult', Grant, AwaitsApproval);

@InputType({ isAbstract: true })
class GrantChangeInput extends ChangeInput {
  @Id('The grant.')
  readonly grantId!: string;

  @Text('Why.')
  readonly reason!: string;

  @Text('The ticket or payment behind it; the same change under it again changes nothing. One is made up if left out.', optional)
  readonly reference?: string | null;
}

@InputType({ description: 'A correction of a grant.' })
export class AdjustGrantInput extends GrantChangeInput {
  @Exact('How much more, or with a minus sign less.')
  readonly amount!: string;
}
const AdjustGrantResult = resultUnion('AdjustGrantResult', Grant, AwaitsApproval);

@InputType({ description: 'A refund of a grant.' })
export class RefundGrantInput extends GrantChangeInput {
  @Exact('How much; all that remains if left out, which closes the grant.', optional)
  readonly amount?: string | null;
}
const RefundGrantResult = resultUnion('RefundGrantResult', Grant, AwaitsApproval);

@InputType({ description: 'A transfer of a part of a grant to another organization of the account tree.' })
export class TransferGrantInput extends ChangeInput {
  @Id('The grant.')
  readonly grantId!: string;

  @Id('The organization that gets it, on the same terms.')
  readonly toOrganizationId!: string;

  @Exact('How much.')
  readonly amount!: string;

  @Text('The order or ticket behind it; the same transfer under it again changes nothing. One is made up if left out.', optional)
  readonly reference?: string | null;
}
const TransferGrantResult = resultUnion('TransferGrantResult', Grant, AwaitsApproval);

const referenceOf = (input: { readonly reference?: string | null; readonly idempotencyKey?: string | null }): string => input.reference ?? `api-${mintId(Date.now())}`;

/** Does an act on a grant, or asks for its approval. */
const act = async <Kind extends ApprovalKind>(operation: Operation, changes: Changes, kind: Kind, input: MoneyActs[Kind], grantIdOf: (result: MoneyResults[Kind]) => string) => {
  const { organizationId } = input;
  const outcome = await changes.throughPool(organizationId, async (_, db) => {
    const done = await requestOrDo(throughPg(db), kind, input);
    return done.state === 'done' ? { grantId: grantIdOf(done.result), approvalId: null } : { grantId: null, approvalId: done.approval.id };
  });
  if (outcome.approvalId !== null) return { __typename: 'AwaitsApproval', approval: await loadApproval(operation, organizationId, outcome.approvalId) };
  const grant = await loadGrant(operation, organizationId, outcome.grantId!);
  if (!grant) throw notFound();
  return grant;
};

@Resolver()
export class GrantChangesResolver {
  @Mutation(() => IssueGrantResult, { description: 'Gives an organization an amount to spend. Of the staff.' })
  issueGrant(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: IssueGrantInput) {
    return operation.change('issueGrant', input, async (changes) => {
      operation.require('staff.money.write', null);
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      const { unit, amount, expiresAt = null, scope = null, priority } = input;
      const grant = { organizationId, unit, amount, source: input.source as GrantSource, reference: referenceOf(input), expiresAt, scopeModels: scope, ...(priority == null ? {} : { priority }) };
      return act(operation, changes, 'grant.issue', grant, ({ id }) => id);
    });
  }

  @Mutation(() => AdjustGrantResult, { description: 'Adds to a grant, or takes from it what is available. Of the staff.' })
  adjustGrant(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: AdjustGrantInput) {
    return operation.change('adjustGrant', input, async (changes) => {
      operation.require('staff.money.write', null);
      const { organizationId, id: grantId } = placeOf('Grant', input.grantId);
      return act(operation, changes, 'grant.adjust', { organizationId, grantId, amount: input.amount, reason: input.reason, reference: referenceOf(input) }, ({ id }) => id);
    });
  }

  @Mutation(() => RefundGrantResult, { description: 'Refunds an amount of a grant, or all that remains. Of the staff.' })
  refundGrant(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RefundGrantInput) {
    return operation.change('refundGrant', input, async (changes) => {
      operation.require('staff.money.write', null);
      const { organizationId, id: grantId } = placeOf('Grant', input.grantId);
      return act(operation, changes, 'grant.refund', { organizationId, grantId, amount: input.amount ?? null, reason: input.reason, reference: referenceOf(input) }, (refund) => refund.grantId);
    });
  }

  @Mutation(() => TransferGrantResult, { description: 'Pays for another organization of the account tree. The answer is the grant that it came from.' })
  transferGrant(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: TransferGrantInput) {
    return operation.change('transferGrant', input, async (changes) => {
      const { organizationId, id: grantId } = placeOf('Grant', input.grantId);
      const { id: toOrganizationId } = placeOf('Organization', input.toOrganizationId);
      operation.require('grants.transfer', organizationId);
      operation.require('grants.transfer', toOrganizationId);
      return act(operation, changes, 'grant.transfer', { organizationId, grantId, toOrganizationId, amount: input.amount, reason: 'transfer to pay for another organization', reference: referenceOf(input) }, (transfer) => transfer.grantId);
    });
  }
}
