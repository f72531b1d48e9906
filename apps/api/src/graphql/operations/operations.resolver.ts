import { Args, Context, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { readQueueStates } from '@kilotoken/events';
import { Operation } from '../operation/operation.js';
import { loadOrganizationOf } from '../organizations/organization.resolver.js';
import { Organization } from '../organizations/organization.type.js';
import { connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { exact } from '../shapes/exact.js';
import { listDeadJobs, listGatewaySessions, listLanes, listQuarantineRows, listRuns, readOverview, toJob, toQuarantined, toRun } from './operations.store.js';
import {
  GatewaySession, Job, JobConnection, Lane, OperationsOverview, QuarantinedUsage, QuarantinedUsageConnection, Queue, ReconcileRun, ReconcileRunConnection,
} from './operations.type.js';

const stuckAfterSeconds = 300;
/** As the backoffice hands them out. */
const jobsPerOrganization = 8;

/** How the installation fares. Of the staff. */
@Resolver()
export class OperationsResolver {
  @Query(() => [Lane], { description: 'The ways in which models are answered. Of the staff.' })
  lanes(@Context('operation') operation: Operation): Promise<Lane[]> {
    return operation.staffReadingFor('staff.operations.read').run(listLanes);
  }

  @Query(() => [GatewaySession], { description: 'Gateways that live, and those that ended within a day, the last to begin first; at most 200. Of the staff.' })
  gateways(@Context('operation') operation: Operation): Promise<GatewaySession[]> {
    return operation.staffReadingFor('staff.operations.read').run(listGatewaySessions);
  }

  @Query(() => [Queue], { description: 'Queues of jobs that have any. Of the staff.' })
  async queues(@Context('operation') operation: Operation): Promise<Queue[]> {
    const states = await operation.staffReadingFor('staff.operations.read').run((db) => readQueueStates(db, jobsPerOrganization));
    return states.map(({ queue, waiting, dueSeconds, stuckSeconds, dead }) => ({
      name: queue, waiting, oldestWaitingSeconds: Math.round(dueSeconds), failed: dead, stuck: stuckSeconds > stuckAfterSeconds,
    }));
  }

  @Query(() => JobConnection, { description: 'Jobs that were given up, the newest first. Of the staff.' })
  async deadLetters(@Context('operation') operation: Operation, @Args() args: PageArgs): Promise<Connection<Job>> {
    const reading = operation.staffReadingFor('staff.operations.read');
    const page = readPage(args, ['uuid']);
    return connectionOf(await reading.run((db) => listDeadJobs(db, page)), page, ({ id }) => [id], toJob);
  }

  @Query(() => QuarantinedUsageConnection, { description: 'Usage that waits for an operator, the newest first. Of the staff.' })
  async quarantine(@Context('operation') operation: Operation, @Args() args: PageArgs): Promise<Connection<QuarantinedUsage>> {
    const reading = operation.staffReadingFor('staff.operations.read');
    const page = readPage(args, ['uuid', 'count', 'text']);
    return connectionOf(await reading.run((db) => listQuarantineRows(db, page)), page, ({ id, attempt, reason }) => [id, String(attempt), reason], toQuarantined);
  }

  @Query(() => ReconcileRunConnection, { description: 'Proofs of the books, the last first. Of the staff.' })
  async reconcileRuns(@Context('operation') operation: Operation, @Args() args: PageArgs): Promise<Connection<ReconcileRun>> {
    const reading = operation.staffReadingFor('staff.operations.read');
    const page = readPage(args, ['uuid']);
    return connectionOf(await reading.run((db) => listRuns(db, page)), page, ({ id }) => [id], toRun);
  }

  @Query(() => OperationsOverview, { description: 'Counts for the first page of the staff.' })
  async operationsOverview(@Context('operation') operation: Operation): Promise<OperationsOverview> {
    const reading = operation.staffReadingFor('staff.operations.read');
    const overview = await reading.run(readOverview);
    const [last] = await reading.run((db) => listRuns(db, { first: 0, after: null }));
    return {
      ...overview, unratedSeconds: exact(overview.unratedSeconds), lastReconcile: last ? toRun(last) : null,
      revenueToday: overview.revenueToday.map(({ unit, amount }) => ({ unit, amount: exact(amount) })),
    };
  }
}

@Resolver(() => QuarantinedUsage)
export class QuarantinedUsageResolver {
  @ResolveField(() => Organization, { description: 'The organization whose request it was.' })
  organization(@Context('operation') operation: Operation, @Parent() { organizationId }: QuarantinedUsage): Promise<Organization> {
    return loadOrganizationOf(operation, organizationId);
  }
}
