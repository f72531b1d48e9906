import { queueNames } from '@kilotoken/contracts';
import { runMigrations } from 'bullmq';
import type pg from 'pg';

/** Where queues live in Postgres: BullMQ's own tables and functions, apart from ours. */
export const queueSchema = 'bullmq';

/**
 * Makes or updates the schema of the queues, as the database's owner, and lets the applications use what is in it, but not
 * change it. The tables are one store for all organizations: what is in a job names rows, and says nothing of them.
 */
export const migrateQueues = async (client: pg.Client): Promise<void> => {
  await runMigrations(client, queueSchema);
  await client.query(`SET search_path = ${queueSchema}`);
  try {
    // BullMQ makes a sequence a queue when it first needs one, which the applications may not.
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
