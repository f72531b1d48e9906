import type pg from 'pg';
import { createPool, inTransaction, type PoolSettings } from './database.js';

/** The one in whose name the control plane changes something. Stored with every change (`control_change`), so it holds no secret. */
export interface Actor {
  readonly kind: 'person' | 'token' | 'system' | 'kt';
  /** A person's or a token's id, a job's name, or the login of whoever runs `kt` and its machine. */
  readonly id: string;
  /** As people know it. Of `kt` alone it is stored. */
  readonly name: string | null;
  /** Named in the audit log's entry of its changes. */
  readonly act?: Act;
}

export interface Act {
  /** Such as `apiKey.revoke`; without one the entry is named for the first row that changed. */
  readonly action?: string;
  readonly ip?: string;
  readonly requestId?: string;
  /** The organization whose pages a member of staff looks at. */
  readonly onBehalfOf?: string;
}

export interface Acting {
  readonly actor: Actor;
}

/** A pool in the name of somebody: what it changes in `changeThrough` is recorded as that actor's. */
export type ControlPool = pg.Pool & Acting;

export const createControlPool = (actor: Actor, settings: PoolSettings): ControlPool => Object.assign(createPool(settings), { actor });

/** Sessions of an operator's tool: they read the rows of all organizations. Writing stays bound to the organization of the transaction. */
export const operatorSession = '-c kilotoken.scope=platform';

/** Sessions with the owner's login, in the name of somebody: each change is recorded as that actor's. */
export const actorSession = (actor: Actor): string => `-c kilotoken.actor=${JSON.stringify(actor).replace(/[\\\s]/g, (character) => `\\${character}`)}`;

/**
 * The same client or pool in the name of somebody else: one serves many people. What is called with the answer is recorded as this actor's; the
 * connections stay shared.
 */
export const actingAs = <Client extends Acting>(client: Client, actor: Actor): Client =>
  new Proxy(client, {
    get: (target, property) => {
      if (property === 'actor') return actor;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });

/** The values of `kilotoken.organization_id` and `kilotoken.actor`, for one transaction. */
export const transactionSettings = (actor: Actor, organizationId: string | null): readonly [string, string] => [organizationId ?? '', JSON.stringify(actor)];

/** One transaction of the control plane; see `changeAs`, which does the same for Prisma. */
export const changeThrough = <Result>(pool: ControlPool, organizationId: string | null, change: (db: pg.PoolClient) => Promise<Result>): Promise<Result> =>
  inTransaction(pool, async (db) => {
    await db.query("SELECT set_config('kilotoken.organization_id', $1, true), set_config('kilotoken.organization_ids', $1, true), set_config('kilotoken.actor', $2, true)", [...transactionSettings(pool.actor, organizationId)]);
    return change(db);
  });
