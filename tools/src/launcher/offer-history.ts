import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import type { Filling } from '../demo/fill.js';
import { isEmptyDatabase, takePlace } from '../demo/place.js';
import type { Database } from './database.js';
import { originOf, secretKeysOf } from './apps.js';
import type { Secrets } from './secrets.js';
import type { LauncherSettings } from './settings.js';
import type { Terminal } from './terminal.js';

/** An unattended terminal goes on without the history. */
const answerMsMax = 30_000;

/** Both ends of a person's terminal. */
export interface Keyboard {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean };
}

export interface HistoryOffer {
  readonly terminal: Terminal;
  readonly settings: LauncherSettings;
  readonly secrets: Secrets;
  readonly database: Database;
  readonly signal: AbortSignal;
  /** Stand-ins for tests. */
  readonly keyboard?: Keyboard;
  readonly fill?: (terminal: Terminal, filling: Filling) => Promise<void>;
}

/** A newcomer's console is empty: before a new embedded database gets its first row, a person at a terminal may have it filled with a history. */
export const offerHistory = async ({ terminal, settings, secrets, database, signal, keyboard = { input: process.stdin, output: process.stdout }, fill }: HistoryOffer): Promise<void> => {
  const { ownerUrl, controlUrl, serviceUrls } = database;
  if (settings.DATABASE_URL !== undefined || settings.KILOTOKEN_DEMO === '0' || !keyboard.input.isTTY || !keyboard.output.isTTY) return;
  if (!(await isEmptyDatabase(ownerUrl)) || !(await isWanted(keyboard, AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)])))) return;
  // Most starts need neither the history nor its code.
  const fillDatabase = fill ?? (await import('../demo/fill.js')).fillDatabase;
  await takePlace(ownerUrl, true);
  const logins = { ownerUrl, controlUrl: controlUrl ?? ownerUrl, gatewayUrl: serviceUrls.gateway, meteringUrl: serviceUrls.metering, backofficeUrl: serviceUrls.backoffice };
  await fillDatabase(terminal, { logins, workerUrl: originOf(settings, 'WORKER_PORT'), secretKeys: secretKeysOf({ settings, secrets }), signal });
};

/** Asks; the end of `patience` is a no. */
export const isWanted = async ({ input, output }: Keyboard, patience: AbortSignal): Promise<boolean> => {
  const terminal = createInterface({ input, output });
  try {
    // A terminal that reads a line keeps Ctrl-C to itself.
    terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const answer = await terminal.question('  ? Fill the console with 90 days of demo history first? It takes about a minute. [y/N] ', { signal: patience });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
    output.write('\n');
    return false;
  } finally {
    terminal.close();
  }
};
