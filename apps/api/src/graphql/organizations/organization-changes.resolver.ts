import { Args, Context, InputType, Mutation, Resolver } from '@nestjs/graphql';
import { createOrganization, updateOrganization } from '@kilotoken/identity';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Id, optional, Text } from '../shapes/field.js';
import { placeOf, resultUnion } from '../shapes/problem.type.js';
import { loadOrganizationOf } from './organization.resolver.js';
import { Organization } from './organization.type.js';

@InputType({ description: 'A new customer.' })
export class CreateOrganizationInput extends ChangeInput {
  @Text('Small letters, digits and dashes, unique.')
  readonly slug!: string;

  @Text('Its name.')
  readonly name!: string;

  @Text('The zone of its days, by the name of the IANA database; UTC if left out.', optional)
  readonly timeZone?: string | null;

  @Id('The organization that pays for it; none if left out.', optional)
  readonly parentId?: string | null;
}
const CreateOrganizationResult = resultUnion('CreateOrganizationResult', Organization);

@InputType({ description: 'New terms of an organization. A field that is left out stays as it is.' })
export class UpdateOrganizationInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Text('Its name.', optional)
  readonly name?: string | null;

  @Text('The zone of its days, by the name of the IANA database. The periods under way end by it.', optional)
  readonly timeZone?: string | null;
}
const UpdateOrganizationResult = resultUnion('UpdateOrganizationResult', Organization);

@Resolver()
export class OrganizationChangesResolver {
  @Mutation(() => CreateOrganizationResult, { description: 'Makes a customer. Of the staff.' })
  createOrganization(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: CreateOrganizationInput) {
    return operation.change('createOrganization', input, async (changes) => {
      operation.require('staff.organizations.write', null);
      const parentId = input.parentId == null ? undefined : placeOf('Organization', input.parentId).id;
      const { id } = await changes.throughClient(null, (client) =>
        createOrganization(client, { slug: input.slug, name: input.name, priceBook: 'list', ...(input.timeZone == null ? {} : { timeZone: input.timeZone }), ...(parentId === undefined ? {} : { parentId }) }),
      );
      return loadOrganizationOf(operation, id);
    });
  }

  @Mutation(() => UpdateOrganizationResult, { description: 'Renames an organization, or changes its time zone.' })
  updateOrganization(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: UpdateOrganizationInput) {
    return operation.change('updateOrganization', input, async (changes) => {
      const { id } = placeOf('Organization', input.organizationId);
      operation.requireEither('organization.write', 'staff.organizations.write', id);
      await changes.throughClient(id, (client) => updateOrganization(client, { id, ...(input.name == null ? {} : { name: input.name }), ...(input.timeZone == null ? {} : { timeZone: input.timeZone }) }));
      return loadOrganizationOf(operation, id);
    });
  }
}
