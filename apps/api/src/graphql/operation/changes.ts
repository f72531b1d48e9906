import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { actingAs, AppError, changeAs, changeThrough, prismaSqlStateOf, sqlStateOf, throughPg, type Actor, type ControlPool, type Keyring, type RawDb } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { joinClient, joinPool } from './joined.js';
import type { ReadLog } from './read-log.js';

/** The clients of changes, and the keys that seal kept answers. Prisma is loaded when the first change asks for it. */
export interface ChangeAccess {
  readonly client: () => Promise<ControlClient>;
  readonly pool: ControlPool;
  readonly seal: Keyring;
  readonly readLog: ReadLog;
}

/** A mutation under a key: sent again, it is answered as the first time. */
export interface Repeatable {
  readonly key: string | null;
  readonly operation: string;
  readonly input: unknown;
}

const usedOtherwise = (): AppError => new AppError({ code: 'idempotency_key_used', kind: 'conflict', publicMessage: 'The idempotency key stands for another mutation or input. Use a new key.' });
const purposeOf = ({ kind, id }: Actor, key: string): string => `idempotent_mutation/${kind}/${id}/${key}`;

/** Changes in the name of one actor, each in one transaction with its audit entry and its idempotency key. */
export class Changes {
  constructor(
    private readonly access: ChangeAccess,
    private readonly actor: Actor,
    private readonly repeatable: Repeatable,
    /** Called after each commit, so that reads see it. */
    private readonly onChanged: () => Promise<void>,
  ) {}

  /** For flows that take the control plane's client. The transaction writes rows of this organization; null: of none. */
  async throughClient<Result>(organizationId: string | null, change: (client: ControlClient) => Promise<Result>): Promise<Result> {
    const client = actingAs(await this.access.client(), this.actor);
    const result = await changeAs(client, organizationId, (db) => this.once(db, () => change(joinClient(db, this.actor))));
    await this.onChanged();
    return result;
  }

  /** For flows that take its pool, or a transaction of it. */
  async throughPool<Result>(organizationId: string | null, change: (pool: ControlPool, db: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const pool = actingAs(this.access.pool, this.actor);
    const result = await changeThrough(pool, organizationId, (db) => this.once(throughPg(db), () => change(joinPool(db, this.actor), db)));
    await this.onChanged();
    return result;
  }

  private async once<Result>(db: RawDb, change: () => Promise<Result>): Promise<Result> {
    const { key, operation, input } = this.repeatable;
    if (key === null) return change();
    const known = await claim(db, key, operation, hashOf(input));
    const purpose = purposeOf(this.actor, key);
    if (known !== null) return deserialize(Buffer.from(this.access.seal.open(known, purpose), 'base64')) as Result;
    const result = await change();
    await db.$queryRaw`SELECT idempotent_mutation_answer(${key}::text, ${this.access.seal.seal(serialize(result).toString('base64'), purpose)}::text)::text`;
    return result;
  }
}

const hashOf = (input: unknown): string => createHash('sha256').update(JSON.stringify(input)).digest('hex');

const claim = async (db: RawDb, key: string, operation: string, inputHash: string): Promise<string | null> => {
  try {
    const rows = await db.$queryRaw<{ answer: string | null }[]>`SELECT idempotent_mutation_claim(${key}::text, ${operation}::text, decode(${inputHash}::text, 'hex')) AS answer`;
    return rows[0]!.answer;
  } catch (error) {
    if ((sqlStateOf(error) ?? prismaSqlStateOf(error)) === 'KT061') throw usedOtherwise();
    throw error;
  }
};
