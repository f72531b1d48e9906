import { AppError, changeAs } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { z } from 'zod';
import { drainLane, lockCatalogue } from './listing.store.js';

const drainSchema = z.strictObject({ id: z.uuid(), drain: z.boolean() });
export type LaneDrain = z.input<typeof drainSchema>;

/** Gateways send a drained lane no new requests within a second. A lanes file that is applied later says it anew. Throws `lane_not_found`. */
export const setLaneDrain = (client: ControlClient, input: LaneDrain): Promise<void> => {
  const { id, drain } = drainSchema.parse(input);
  return changeAs(client, null, async (db) => {
    await lockCatalogue(db);
    if (!(await drainLane(db, id, drain))) throw new AppError({ code: 'lane_not_found', kind: 'not_found', publicMessage: 'There is no such lane.' });
  });
};
