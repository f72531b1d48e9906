import { resolve } from 'node:path';
import { Command } from 'commander';
import type { ReconcileOptions } from '@kilotoken/reconcile';
import { z } from 'zod';

/** The options of `npm run reconcile`. */
export interface Options extends Pick<ReconcileOptions, 'organization' | 'from' | 'to' | 'clientLogs' | 'vendorLogs' | 'archiveFolder' | 'findingsMax'> {
  readonly json: boolean;
}

const findingsMaxMax = 100_000;

const momentRight = 'must be a moment such as 2027-01-31T18:00:00Z or a day such as 2027-01-31 (its start in UTC)';
const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], { error: momentRight })
  .transform((text) => new Date(text))
  .nullable();

const optionsSchema = z.object({
  org: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be an organization's slug, such as acme").nullable(),
  from: moment,
  to: moment,
  clientLog: z.array(z.string().min(1)),
  vendorLog: z.array(z.string().min(1)),
  archive: z.string().min(1).nullable(),
  findings: z.string().regex(/^\d{1,6}$/, 'must be a whole number').transform(Number).refine((count) => count >= 1 && count <= findingsMaxMax, `must be from 1 to ${findingsMaxMax}`),
  json: z.boolean(),
});

const explained = `
It proves: I1 the ledger balances, is a chain and agrees with the grants; I2 grants, leases and usage conserve money; I3 no grant
is below its floor; I4, I5 each request is billed once, and settled or running; I6 no charge exceeds its hold; I7 rating again gives
the same amounts, and the ledger has them; I8 rows stay within their organization; I9 events are complete; exported
files are unchanged; with logs, I10 client, vendor and database agree.

It reads one snapshot of the live database and changes nothing. Running requests and unrated usage are listed and are not findings.

It connects with DATABASE_URL; if that is not set, with the login of the installation in KILOTOKEN_HOME (.kilotoken).
Exit codes: 0 the books hold, 1 findings, 2 it could not check (standard error has the reason).
docs/operations/reconcile.md has the format of the logs and the remedy for each finding.

Examples:
  npm run reconcile
  npm run reconcile -- --org acme --from 2027-01-01 --to 2027-02-01
  npm run -s reconcile -- --client-log client.jsonl --vendor-log vendor.jsonl --json
`;

const collect = (value: string, before: string[]): string[] => [...before, value];

/** Throws a CommanderError or, for a value that cannot be, a ZodError. Paths are relative to `callersFolder`. */
export const readOptions = (words: readonly string[], callersFolder: string, write: { out(text: string): void; error(text: string): void }): Options => {
  const command = new Command('npm run reconcile --')
    .description('Proves the books of a Kilotoken installation: every token billed once, every amount reproducible, every transaction balanced.')
    .option('--org <slug>', 'one organization (default: all)')
    .option('--from <when>', 'start of the period, a moment or a day in UTC: requests by admission, leases by closing, postings by posting')
    .option('--to <when>', 'end of the period, excluded')
    .option('--client-log <file>', "clients' log of their answers, as JSON lines; repeatable", collect, [])
    .option('--vendor-log <file>', "vendors' log of served requests, as JSON lines; repeatable", collect, [])
    .option('--archive <folder>', 'folder of exported usage files on this machine (default: where they were written)')
    .option('--findings <count>', 'the most findings of a check to list; all are counted', '100')
    .option('--json', 'print one JSON document to standard output', false)
    .addHelpText('after', explained)
    .configureOutput({ writeOut: write.out, writeErr: write.error })
    .showHelpAfterError('(add --help to see the options)')
    .allowExcessArguments(false)
    .exitOverride();
  command.parse([...words], { from: 'user' });
  const { org, from, to, clientLog, vendorLog, archive, findings, json } = optionsSchema.parse({ org: null, from: null, to: null, archive: null, ...command.opts() });
  const paths = (files: readonly string[]): string[] => files.map((file) => resolve(callersFolder, file));
  return { organization: org, from, to, clientLogs: paths(clientLog), vendorLogs: paths(vendorLog), archiveFolder: archive && resolve(callersFolder, archive), findingsMax: findings, json };
};
