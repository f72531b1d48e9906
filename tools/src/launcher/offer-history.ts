import { createInterface } from 'node:readline/promises';
import { isEmptyDatabase, takePlace } from '../demo/place.js';
import type { Database } from './database.js';
import { originOf } from './apps.js';
import type { LauncherSettings } from './settings.js';
import type { Terminal } from './terminal.js';

/** An unattended terminal goes on without the history. */
const answerMsMax = 30_000;

export interface HistoryOffer {
  readonly terminal: Terminal;
  readonly settings: LauncherSettings;
  readonly database: Database;
  readonly signal: AbortSignal;
}

/** A newcomer's console is empty: before a new embedded database gets its first row, a person at a terminal may have it filled with a history. */
export const offerHistory = async ({ terminal, settings, database, signal }: HistoryOffer): Promise<void> => {
  const { ownerUrl, controlUrl, serviceUrls } = database;
  if (settings.DATABASE_URL !== undefined || settings.KILOTOKEN_DEMO === '0' || !process.stdin.isTTY || !process.stdout.isTTY) return;
  if (!(await isEmptyDatabase(ownerUrl)) || !(await isWanted(signal))) return;
  // Most starts do without it and what it is made of.
  const { fillDatabase } = await import('../demo/fill.js');
  await takePlace(ownerUrl, true);
  const logins = { ownerUrl, controlUrl: controlUrl ?? ownerUrl, gatewayUrl: serviceUrls.gateway, meteringUrl: serviceUrls.metering, backofficeUrl: serviceUrls.backoffice };
  await fillDatabase(terminal, { logins, workerUrl: originOf(settings, 'WORKER_PORT'), signal });
};

const isWanted = async (signal: AbortSignal): Promise<boolean> => {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    // A terminal that reads a line keeps Ctrl-C to itself.
    terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const answer = await terminal.question('  ? Fill the console with 90 days of demo history first? It takes about a minute. [y/N] ', { signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]) });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
    process.stdout.write('\n');
    return false;
  } finally {
    terminal.close();
  }
};
