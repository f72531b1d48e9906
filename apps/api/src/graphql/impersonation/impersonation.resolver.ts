import { Args, Context, InputType, Mutation, Resolver } from '@nestjs/graphql';
import { audited } from '@kilotoken/audit';
import { endImpersonation, startImpersonation } from '@kilotoken/people';
import { Operation } from '../operation/operation.js';
import { loadOrganization } from '../organizations/organization.resolver.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Id, Text } from '../shapes/field.js';
import { Done, done, notFound, placeOf, resultUnion } from '../shapes/problem.type.js';

@InputType({ description: "The customer whose pages are looked at." })
export class StartImpersonationInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Text('Why. The customer reads it in the audit log.')
  readonly reason!: string;
}
const StartImpersonationResult = resultUnion('StartImpersonationResult', Done);
const EndImpersonationResult = resultUnion('EndImpersonationResult', Done);

@Resolver()
export class ImpersonationResolver {
  @Mutation(() => StartImpersonationResult, { description: "Looks at a customer's pages as its viewer sees them, from the session's next request on; nothing can be changed meanwhile. Of people of the staff." })
  startImpersonation(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: StartImpersonationInput) {
    return operation.change('startImpersonation', input, async (changes) => {
      operation.require('staff.impersonate', null);
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      const organization = await loadOrganization(operation, organizationId);
      const sessionId = operation.sessionId;
      if (organization === null || sessionId === null) throw notFound();
      await changes.throughPool(organizationId, async (_, db) => {
        await startImpersonation(db, { sessionId, personId: operation.signedIn.id, organizationId, reason: input.reason });
        await audited(db, { organizationId, action: 'impersonation.start', objectType: 'organization', objectId: organizationId, after: { reason: input.reason }, onBehalfOf: organizationId });
      });
      return done;
    });
  }

  @Mutation(() => EndImpersonationResult, { description: "Ends looking at a customer's pages." })
  endImpersonation(@Context('operation') operation: Operation) {
    return operation.change('endImpersonation', {}, async (changes) => {
      const { id: personId, impersonating } = operation.signedIn;
      const sessionId = operation.sessionId;
      if (impersonating === null || sessionId === null) return done;
      await changes.throughPool(impersonating, async (_, db) => {
        await endImpersonation(db, { sessionId, personId });
        await audited(db, { organizationId: impersonating, action: 'impersonation.end', objectType: 'organization', objectId: impersonating, onBehalfOf: impersonating });
      });
      return done;
    });
  }
}
