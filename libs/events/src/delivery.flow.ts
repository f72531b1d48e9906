import { changeThrough, type ControlPool, type Db } from '@kilotoken/platform';
import { deliveryPageSchema, replayedMax, replaySchema, type Delivery, type DeliveryPage, type Replay } from './delivery.js';
import { notFound, parseInput } from './events.errors.js';
import { findDeliveries, resetDeliveries } from './delivery.store.js';

/** The oldest first; the next page begins after the last id of this one. */
export const listDeliveries = (db: Db, page: DeliveryPage): Promise<Delivery[]> => findDeliveries(db, parseInput(deliveryPageSchema, page));

/**
 * Sends one delivery again, whatever its status, or all dead ones, at most 10,000 at once. The event keeps its id, so a receiver
 * recognizes it. Answers how many; throws `delivery_not_found`.
 */
export const replayDeliveries = async (pool: ControlPool, replay: Replay): Promise<number> => {
  const asked = parseInput(replaySchema, replay);
  const count = await changeThrough(pool, asked.organizationId, (db) => resetDeliveries(db, asked, replayedMax));
  if (asked.id !== undefined && count === 0) throw notFound('delivery', 'The organization has no such delivery, or it is on its way already.');
  return count;
};
