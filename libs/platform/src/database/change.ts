import { transactionSettings } from './actor.js';
import type { ControlClient, PrismaDb } from './prisma.js';

// Apart from Prisma, which a command that only shows something must not load.

/**
 * One transaction of the control plane. It writes rows of this organization alone, null: of none but the platform's own, and records each
 * change as the client's actor's.
 */
export const changeAs = <Result>(client: ControlClient, organizationId: string | null, change: (db: PrismaDb) => Promise<Result>): Promise<Result> =>
  client.$transaction(async (db) => {
    const [organization, actor] = transactionSettings(client.actor, organizationId);
    await db.$queryRaw`SELECT set_config('kilotoken.organization_id', ${organization}, true), set_config('kilotoken.organization_ids', ${organization}, true), set_config('kilotoken.actor', ${actor}, true)`;
    return change(db);
  });
