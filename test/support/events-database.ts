import { platformId, type QueueName } from '@kilotoken/contracts';
import type { JobProcessor, QueueDefinition, QueueTable } from '@kilotoken/events';
import type { QueuedJob, QueueStore, WorkOptions } from '@kilotoken/platform/queue';
import { MoneyDatabase } from './money-database.js';

/** A database whose outbox holds what the test puts there, and a queue that keeps what it was given, for tests to run. */
export class EventsDatabase {
  private constructor(readonly money: MoneyDatabase) {}

  static async create(): Promise<EventsDatabase> {
    return new EventsDatabase(await MoneyDatabase.create());
  }

  async drop(): Promise<void> {
    await this.money.drop();
  }

  /** A tenant whose making left nothing in the outbox. */
  async newTenant(...grants: string[]): Promise<string> {
    const { organizationId } = await this.money.newTenant(...grants);
    await this.forget();
    return organizationId;
  }

  async forget(): Promise<void> {
    await this.money.sql('DELETE FROM outbox_job');
    await this.money.sql('DELETE FROM outbox_event');
  }

  async put(organizationId: string, kind: string, key: string, payload: object = {}): Promise<boolean> {
    const { rows } = await this.money.app.query<{ put: boolean }>('SELECT outbox_put($1, $2, $3, $4) AS put', [organizationId, kind, key, JSON.stringify(payload)]);
    return rows[0]!.put;
  }

  async addEndpoint(organizationId: string, url: string, kinds: string[] | null = null, secret = `whsec_${'A'.repeat(44)}`): Promise<string> {
    const [row] = await this.money.sql<{ id: string }>(
      'INSERT INTO webhook_endpoint (organization_id, id, url, kinds) VALUES ($1, uuidv7(), $2, $3) RETURNING id',
      [organizationId, url, kinds],
    );
    await this.money.sql('INSERT INTO webhook_secret (organization_id, endpoint_id, id, secret) VALUES ($1, $2, uuidv7(), $3)', [organizationId, row!.id, secret]);
    return row!.id;
  }

  /** Makes what waits after so many attempts, and is not being done, due now; answers whether there was any. */
  async hurry(organizationId: string, attempts: number): Promise<boolean> {
    const hurried = await this.money.sql(
      "UPDATE outbox_job SET next_at = kt_now() WHERE organization_id = $1 AND attempts = $2 AND status = 'waiting' AND claim_id IS NULL RETURNING id",
      [organizationId, attempts],
    );
    return hurried.length > 0;
  }

  events(organizationId: string): Promise<{ kind: string; key: string; sequence: bigint | null; payload: Record<string, unknown> }[]> {
    return this.money.sql('SELECT kind, key, sequence, payload FROM outbox_event WHERE organization_id = $1 ORDER BY id', [organizationId]);
  }

  jobs(organizationId: string = platformId): Promise<{ id: string; queue: string; status: string; attempts: number; outcome: Record<string, unknown> | null }[]> {
    return this.money.sql('SELECT id, queue, status, attempts, outcome FROM outbox_job WHERE organization_id = $1 ORDER BY id', [organizationId]);
  }
}

type Definitions = { readonly [Queue in QueueName]?: Partial<QueueDefinition<Queue>> & { readonly processor: JobProcessor<Queue> } };

/** A table of the queues that a test works on, with three attempts and bounds that no test reaches unless it says so. */
export const tableOf = (definitions: Definitions): QueueTable => {
  const usual = { waitsSeconds: [5, 300], concurrency: 1, timeoutMs: 15_000, dueMsMax: 600_000, keptDays: 30 };
  const table = { 'deliver-webhook': null, 'send-mail': null, 'mail-person': null, 'prune-events': null, 'prove-books': null };
  return { ...table, ...Object.fromEntries(Object.entries(definitions).map(([queue, definition]) => [queue, { ...usual, ...definition }])) };
};

/** A queue in memory that does nothing by itself. */
export class HeldQueue implements QueueStore {
  readonly backend = 'postgres';
  readonly held = new Map<string, { queue: QueueName; job: QueuedJob }>();

  async add(queue: QueueName, jobs: readonly QueuedJob[]): Promise<void> {
    for (const job of jobs) this.held.set(job.id, { queue, job });
  }

  /** What it holds, in order, and forgets. */
  take(): QueuedJob[] {
    const jobs = [...this.held.values()].map(({ job }) => job);
    this.held.clear();
    return jobs;
  }

  work(_queue: QueueName, _options: WorkOptions): { isWorking(): boolean; drain(): Promise<void> } {
    return { isWorking: () => true, drain: async () => undefined };
  }

  async depth(): Promise<{ waiting: number; active: number }> {
    return { waiting: this.held.size, active: 0 };
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {}
}
