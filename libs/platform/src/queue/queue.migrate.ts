import { queueNames } from '@kilotoken/contracts';
import { runMigrations } from 'bullmq';
import type pg from 'pg';

/** BullMQ's own tables and functions, apart from ours. */
export const queueSchema = 'bullmq';

/**
 * Makes or updates the schema of the queues, as the database's owner. Applications may use its tables and functions but not change
 * them. One store serves all organizations: a job in it holds ids of rows and nothing else.
 */
export const migrateQueues = async (client: pg.Client): Promise<void> => {
  await runMigrations(client, queueSchema);
  await client.query(`SET search_path = ${queueSchema}`);
  try {
    // BullMQ makes each queue's sequence on first use, and the applications may create nothing.
    for (const name of queueNames) await client.query('SELECT next_job_id($1)', [name]);
  } finally {
    await client.query('RESET search_path');
  }
  await client.query(`
    GRANT USAGE ON SCHEMA ${queueSchema} TO kilotoken_app, kilotoken_backoffice;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${queueSchema} TO kilotoken_app, kilotoken_backoffice;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${queueSchema} TO kilotoken_app, kilotoken_backoffice;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${queueSchema} TO kilotoken_app, kilotoken_backoffice`);
};
