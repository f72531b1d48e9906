import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { sqlStateOf } from './database.errors.js';

/**
 * Asks what all work of a process depends on; rejects where that does not answer. A process that stops waits for its work, and
 * while what that depends on is silent nothing of it can end: waiting is in vain.
 */
export type Lifeline = () => Promise<void>;

/** The next process does the work, so waiting for a database's restart gains nothing. */
const askEveryMs = 1_000;
/** One after the other. They are counted, and no time is measured: a machine that stood still for seconds has heard no silence. */
const unansweredMax = 3;
const tooManyConnections = '53300';

/** Resolves with the work's result, or with false without waiting any longer once the lifeline was silent several times in a row. */
export const whileAnswering = async <Result>(ask: Lifeline, work: Promise<Result>): Promise<Result | false> => {
  const over = new AbortController();
  try {
    return await Promise.race([work, untilSilent(ask, over.signal)]);
  } finally {
    over.abort();
  }
};

const untilSilent = async (ask: Lifeline, signal: AbortSignal): Promise<false> => {
  for (let unanswered = 0; unanswered < unansweredMax && !signal.aborted; ) {
    const answered = ask().then(
      () => true,
      () => false,
    );
    await pause(askEveryMs, undefined, { ref: false });
    unanswered = (await answered) ? 0 : unanswered + 1;
  }
  return false;
};

/** A database, asked on a connection of its own: those of a pool may all be busy with work that is good and takes long. */
export const databaseLifeline =
  (connectionString: string, applicationName: string): Lifeline =>
  async () => {
    const client = new pg.Client({ connectionString, application_name: `${applicationName}-lifeline`, connectionTimeoutMillis: askEveryMs });
    // One that breaks after it was made has answered.
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch (error) {
      // A server that has no connection left is one that answers.
      if (sqlStateOf(error) !== tooManyConnections) throw error;
    } finally {
      client.end().catch(() => undefined);
    }
  };
