import { PrismaPg } from '@prisma/adapter-pg';
import type { Acting, Actor } from './actor.js';
import { createPool } from './database.js';
import { PrismaClient, type Prisma } from '../generated/prisma/client.js';

/**
 * The control plane's client. It stands apart from the rest of the platform (`@kilotoken/platform/prisma`) because the
 * gateways never need it and should not pay for it: some 70 MB once it is used. A store that only names its types
 * (`import type`) loads nothing.
 */
export type { Prisma, PrismaClient };

/** The first argument of a control-plane store: the client, or its caller's transaction. */
export type PrismaDb = Prisma.TransactionClient;

const transactionWaitMsMax = 5_000;
const transactionMsMax = 30_000;

export interface PrismaSettings {
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly connectionsMax?: number;
  readonly statementTimeoutMs?: number;
  /** Settings of each session, as `-c name=value`. */
  readonly sessionOptions?: string;
}

/** End it with `$disconnect()`, which closes its connections too. */
export const createPrisma = (databaseUrl: string, { connectionsMax = 4, ...settings }: PrismaSettings): PrismaClient => {
  const pool = createPool({ connectionString: databaseUrl, max: connectionsMax, ...settings });
  return new PrismaClient({
    adapter: new PrismaPg(pool, { disposeExternalPool: true }),
    transactionOptions: { maxWait: transactionWaitMsMax, timeout: transactionMsMax },
    errorFormat: 'minimal',
  });
};

/** The control plane's client in the name of somebody: what it changes is recorded as that actor's. */
export type ControlClient = PrismaClient & Acting;

export const createControlClient = (databaseUrl: string, actor: Actor, settings: PrismaSettings): ControlClient => Object.assign(createPrisma(databaseUrl, settings), { actor });
