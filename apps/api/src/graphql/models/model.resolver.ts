import { Context, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { listPriceBook } from '@kilotoken/marketplace';
import { Operation } from '../operation/operation.js';
import { Organization } from '../organizations/organization.type.js';
import { listModels, listModelsOf } from './model.store.js';
import { Model } from './model.type.js';

@Resolver(() => Model)
export class ModelResolver {
  @Query(() => [Model], { description: 'The models that are for sale, at the prices of the list. Of the staff.' })
  models(@Context('operation') operation: Operation): Promise<Model[]> {
    return operation.staffReadingFor('staff.operations.read').run((db) => listModels(db, listPriceBook));
  }
}

@Resolver(() => Organization)
export class OrganizationModelsResolver {
  @ResolveField(() => [Model], { description: 'The models that it can buy, at its prices. Those that the loopback engine may answer come last.' })
  models(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<Model[]> {
    return operation.readingOf(organizationId, 'organization.read', 'staff.organizations.read').load('models', null, organizationId, listModelsOf);
  }
}
