import { createKeyring } from '@kilotoken/platform';
import { pino } from 'pino';
import { runStep, type Terminal } from '../launcher/terminal.js';
import { loadHistory, type HistoryLogins } from './history.js';
import { readDemoOptions, type DemoOptions } from './options.js';

export interface Filling {
  readonly options?: DemoOptions;
  readonly logins: HistoryLogins;
  readonly workerUrl: string;
  /** Those of the api and the backoffice. */
  readonly secretKeys: readonly string[];
  readonly signal: AbortSignal;
}

const minuteMs = 60_000;

/** Loads a history that ends with the present minute, and says how far it is. */
export const fillDatabase = async (terminal: Terminal, { options = readDemoOptions([]), logins, workerUrl, secretKeys, signal }: Filling): Promise<void> => {
  const { seed, days, organizations: customers, requests: wanted } = options;
  const plan = { seed, days, organizations: customers, requests: wanted, untilMs: Math.floor(Date.now() / minuteMs) * minuteMs, workerUrl, release: 'demo' };
  await runStep(terminal, 'history', `loading ${plan.days} days`, async (step) => {
    const onDay = (day: number, { organizations, requests }: { organizations: number; requests: number }): void =>
      step.update(`day ${day + 1} of ${plan.days}: ${organizations} organizations, ${requests.toLocaleString('en')} requests`);
    const { organizations, requests } = await loadHistory({ plan, logins, keyring: createKeyring(secretKeys), logger: pino({ level: 'warn' }), signal, onDay });
    return { result: undefined, detail: `${plan.days} days, ${organizations} organizations, ${requests.toLocaleString('en')} requests` };
  });
};
