import { Args, Context, ID, Resolver, Subscription } from '@nestjs/graphql';
import type { CustomerPermission, StaffPermission } from '@kilotoken/access';
import { toBalance } from '../money/balance.js';
import { Balance } from '../money/grant.type.js';
import { Operation } from '../operation/operation.js';
import { placeOf } from '../shapes/problem.type.js';
import { toRequest } from '../usage/request.js';
import { Request } from '../usage/request.type.js';
import { LiveService, type Tick } from './live.service.js';

/** How often a watcher's role is looked up again, whether or not there is anything to tell. */
const renewMs = 3_000;

@Resolver()
export class LiveResolver {
  constructor(private readonly live: LiveService) {}

  @Subscription(() => [Balance], { description: "An organization's balances, at once and whenever they change. It ends when the viewer may read them no more.", resolve: (value: unknown) => value })
  balanceChanged(
    @Context('operation') operation: Operation,
    @Args('organizationId', { type: () => ID, description: 'The organization.' }) organizationId: string,
  ): AsyncIterableIterator<Balance[]> {
    const { id } = placeOf('Organization', organizationId);
    return this.watch(operation, id, 'balances.read', 'staff.money.read', ({ balances }) => (balances === null ? [] : [balances.map(toBalance)]));
  }

  @Subscription(() => Request, { description: "An organization's requests as they settle, some a second at most. It ends when the viewer may read them no more.", resolve: (value: unknown) => value })
  requestSettled(
    @Context('operation') operation: Operation,
    @Args('organizationId', { type: () => ID, description: 'The organization.' }) organizationId: string,
  ): AsyncIterableIterator<Request> {
    const { id } = placeOf('Organization', organizationId);
    return this.watch(operation, id, 'usage.read', 'staff.usage.read', ({ requests }) => requests.map((row) => toRequest(row, operation.allows('staff.usage.read', null))));
  }

  private watch<Value>(operation: Operation, organizationId: string, own: CustomerPermission, staff: StaffPermission, valuesOf: (tick: Tick) => Value[]): AsyncGenerator<Value> {
    operation.requireEither(own, staff, organizationId);
    const feed = this.live.watch(organizationId);
    return (async function* () {
      let renewedAt = performance.now();
      try {
        for await (const tick of feed) {
          if (performance.now() - renewedAt > renewMs) {
            await operation.renew();
            renewedAt = performance.now();
          }
          operation.requireEither(own, staff, organizationId);
          for (const value of valuesOf(tick)) {
            operation.reopen();
            yield value;
          }
        }
      } finally {
        feed.end();
      }
    })();
  }
}
