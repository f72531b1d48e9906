import { ObjectType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Count, Exact, Flag, Id, Json, Moment, Of, optional, Text } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';
import { ModelPrice } from '../models/model.type.js';
import { Charge } from '../usage/request.type.js';

@ObjectType({ description: 'A way in which a model is answered: a worker of the company, or a vendor.' })
export class Lane {
  @Id('Its global id.')
  readonly id!: string;

  @Text('The model that it answers.')
  readonly model!: string;

  @Text('`worker`, or the protocol of the vendor.')
  readonly kind!: string;

  @Text('Where it is reached.')
  readonly baseUrl!: string;

  @Text("The vendor's name of the model.")
  readonly upstreamModel!: string;

  @Flag('Whether it gets no new requests.')
  readonly drain!: boolean;

  @Of(() => [ModelPrice], 'Its cost to the company, by class of tokens.')
  readonly cost!: ModelPrice[];

  @Exact('Requests that it ended in the last hour.')
  readonly requestsLastHour!: bigint;

  @Exact('Those of them that failed.')
  readonly errorsLastHour!: bigint;
}

@ObjectType({ description: 'A gateway process that holds leases, or did.' })
export class GatewaySession {
  @Id('Its global id.')
  readonly id!: string;

  @Text('Application, host and process.')
  readonly name!: string;

  @Moment('When it began.')
  readonly startedAt!: Date;

  @Moment('Its last sign of life.', optional)
  readonly lastHeartbeatAt!: Date | null;

  @Text('`alive`, `silent` when it gave no sign for ten seconds, or `ended`.')
  readonly state!: string;

  @Count('Requests that run at it and have lasted a second.')
  readonly openRequests!: number;

  @Count('Leases that it holds.')
  readonly leases!: number;
}

@ObjectType({ description: 'A queue of jobs.' })
export class Queue {
  @Text('Its name.')
  readonly name!: string;

  @Count('Jobs that wait or run.')
  readonly waiting!: number;

  @Count('How long the oldest that is due has waited, in seconds.')
  readonly oldestWaitingSeconds!: number;

  @Count('Jobs that were given up.')
  readonly failed!: number;

  @Flag('Whether a job has been due for more than five minutes.')
  readonly stuck!: boolean;
}

@ObjectType({ implements: () => [NodeObject], description: 'A job of a queue.' })
export class Job extends NodeObject {
  declare readonly __typename: 'Job';

  @Text('The queue.')
  readonly queue!: string;

  @Text('The thing that it does, once.')
  readonly key!: string;

  @Text('`waiting`, `running`, `done`, or `dead` when it was given up.')
  readonly status!: string;

  @Count('How often it was tried.')
  readonly attempts!: number;

  @Moment('When it was enqueued.')
  readonly createdAt!: Date;

  @Text('The failure of the last attempt.', optional)
  readonly lastError!: string | null;

  @Json('The thing that it was given to do; addresses of people are left out.', optional)
  readonly payload!: unknown;
}
export const JobConnection = connectionType(Job, 'Job', 'jobs');

@ObjectType({ implements: () => [NodeObject], description: 'Usage that could not be settled or rated, kept as it came.' })
export class QuarantinedUsage extends NodeObject {
  declare readonly __typename: 'QuarantinedUsage';
  readonly organizationId!: string;

  @Text('Why it could not.')
  readonly reason!: string;

  @Moment('Since when it is kept.')
  readonly quarantinedAt!: Date;

  @Text('The last step that an operator took; null: none.', optional)
  readonly step!: string | null;

  @Text('The rows as they came, at most 100,000 characters.')
  readonly raw!: string;
}
export const QuarantinedUsageConnection = connectionType(QuarantinedUsage, 'QuarantinedUsage', 'quarantined usage');

@ObjectType({ implements: () => [NodeObject], description: 'One proof of the books.' })
export class ReconcileRun extends NodeObject {
  declare readonly __typename: 'ReconcileRun';

  @Moment('When it began.')
  readonly startedAt!: Date;

  @Moment('When it ended.', optional)
  readonly finishedAt!: Date | null;

  @Flag('Whether everything agreed.')
  readonly holds!: boolean;

  @Count('How many things did not agree.')
  readonly findings!: number;

  @Json('Its report.', optional)
  readonly summary!: unknown;
}
export const ReconcileRunConnection = connectionType(ReconcileRun, 'ReconcileRun', 'proofs of the books');

@ObjectType({ description: 'Counts for the first page of the staff.' })
export class OperationsOverview {
  @Count('Customers.')
  readonly organizations!: number;

  @Count('Gateways that gave a sign of life in the last ten seconds.')
  readonly gatewaysAlive!: number;

  @Count('Requests that run and have lasted a second.')
  readonly openRequests!: number;

  @Count('Acts that wait for a second person.')
  readonly pendingApprovals!: number;

  @Count('Cases in quarantine.')
  readonly quarantined!: number;

  @Count('Jobs that were given up.')
  readonly deadLetters!: number;

  @Exact('The age of the oldest usage that is not yet rated, in seconds.')
  readonly unratedSeconds!: string;

  @Of(() => ReconcileRun, 'The last proof of the books.', optional)
  readonly lastReconcile!: ReconcileRun | null;

  @Of(() => [Charge], 'Charges of all customers since midnight of UTC, by unit.')
  readonly revenueToday!: Charge[];
}
