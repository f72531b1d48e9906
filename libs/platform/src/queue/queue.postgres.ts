import { setTimeout as pause } from 'node:timers/promises';
import { createPostgresBackend, withBackend } from 'bullmq';
import pg from 'pg';
import type { QueueBackend, QueueStoreSettings } from './queue-backend.js';
import { queueSchema } from './queue.migrate.js';
import { reconnectPauseMs } from './queue.worker.js';

const connectMsMax = 5_000;
const statementMsMax = 10_000;
/** Each worker keeps one to listen; the others serve statements. */
const connectionsMax = 6;

type OnConnect = (error: Error | undefined, client: pg.PoolClient | undefined, release: (broken?: unknown) => void) => void;

/**
 * Reports a failed connection after a pause. BullMQ's workers pause by themselves after a refused connection, but ask again at once
 * after any other failure: a thousand times a second while the server resets connections or starts.
 */
class PausingPool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(onConnect: OnConnect): void;
  override connect(onConnect?: OnConnect): Promise<pg.PoolClient> | void {
    if (!onConnect) {
      return super.connect().catch(async (error: unknown) => {
        await pause(this.pauseMs());
        throw error;
      });
    }
    super.connect((error, client, release) => {
      if (error) setTimeout(onConnect, this.pauseMs(), error, client, release);
      else onConnect(error, client, release);
    });
  }

  private pauseMs(): number {
    return this.ending ? 0 : reconnectPauseMs;
  }
}

/**
 * Queues in the application's own database. Their connections do not wait for the disk: jobs that a crash of the server loses are
 * added again, as after any other loss.
 */
export const openPostgresBackend = ({ databaseUrl, applicationName, onError }: QueueStoreSettings): QueueBackend => {
  const pool = new PausingPool({
    connectionString: databaseUrl,
    max: connectionsMax,
    application_name: `${applicationName}-queue`,
    options: `-c search_path=${queueSchema} -c synchronous_commit=off`,
    connectionTimeoutMillis: connectMsMax,
    statement_timeout: statementMsMax,
    query_timeout: statementMsMax * 2,
    keepAlive: true,
  });
  pool.on('error', onError);
  // A connection that breaks between two statements emits an error, which without a listener ends the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const { Queue, Worker } = withBackend(createPostgresBackend);
  return {
    name: 'postgres',
    queue: (name) => new Queue(name, { connection: pool }),
    worker: (name, run, options) => new Worker(name, run, { connection: pool, ...options }),
    check: async () => {
      await pool.query('SELECT FROM job LIMIT 0');
    },
    close: () => pool.end(),
  };
};
