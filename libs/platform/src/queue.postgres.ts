import { createPostgresBackend, withBackend } from 'bullmq';
import pg from 'pg';
import type { QueueBackend, QueueStoreSettings } from './queue.js';
import { queueSchema } from './queue.migrate.js';

const connectMsMax = 5_000;
const statementMsMax = 10_000;
/** One listens for each worker, the others ask and answer. */
const connectionsMax = 6;

/**
 * Queues in the database that everything else is in. Their connections do not wait for the disk: what a crash of the server
 * takes out of a queue is added again, as after any other loss.
 */
export const openPostgresBackend = ({ databaseUrl, applicationName, onError }: QueueStoreSettings): QueueBackend => {
  const pool = new pg.Pool({
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
  // Between two statements nobody else hears of a connection that breaks, and an error that nobody hears ends the process.
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
