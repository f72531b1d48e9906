import { Args, Context, InputType, Mutation, Resolver } from '@nestjs/graphql';
import { retryJobs } from '@kilotoken/events';
import { setLaneDrain } from '@kilotoken/marketplace';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Flag, Id } from '../shapes/field.js';
import { Done, done, notFound, placeOf, resultUnion } from '../shapes/problem.type.js';
import { globalId } from '../shapes/global-id.js';
import { listLanes } from './operations.store.js';
import { Lane } from './operations.type.js';

@InputType({ description: 'Whether a lane gets new requests.' })
export class SetLaneDrainInput extends ChangeInput {
  @Id('The lane.')
  readonly id!: string;

  @Flag('True: no new requests.')
  readonly drain!: boolean;
}
const SetLaneDrainResult = resultUnion('SetLaneDrainResult', Lane);

@InputType({ description: 'The job to try again.' })
export class RetryJobInput extends ChangeInput {
  @Id('The job.')
  readonly id!: string;
}
const RetryJobResult = resultUnion('RetryJobResult', Done);

@Resolver()
export class OperationChangesResolver {
  @Mutation(() => SetLaneDrainResult, { description: 'Drains a lane, or lets it serve again. A lanes file that is applied later says it anew. Of the staff.' })
  setLaneDrain(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: SetLaneDrainInput) {
    return operation.change('setLaneDrain', input, async (changes) => {
      operation.require('staff.operations.write', null);
      const { id } = placeOf('Lane', input.id);
      await changes.throughClient(null, (client) => setLaneDrain(client, { id, drain: input.drain }));
      const lane = (await operation.staffReadingFor('staff.operations.read').run(listLanes)).find((one) => one.id === globalId('Lane', '', id));
      if (!lane) throw notFound();
      return { __typename: 'Lane', ...lane };
    });
  }

  @Mutation(() => RetryJobResult, { description: 'Gives a job that was given up all its attempts again. Of the staff.' })
  retryJob(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RetryJobInput) {
    return operation.change('retryJob', input, async (changes) => {
      operation.require('staff.operations.write', null);
      const { organizationId, id } = placeOf('Job', input.id);
      await changes.throughPool(organizationId, (pool) => retryJobs(pool, { id }));
      return done;
    });
  }
}
