import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import { actorSession, AppError, changeAs, createControlPool, createKeyring, createPool, operatorSession, readDatabaseNow, throughPg, type Actor, type ControlPool, type Keyring, type RawDb } from '@kilotoken/platform';
import type { ControlClient, PrismaDb } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { parseWhole } from './arguments.js';
import type { KtConfig } from './config.js';
import { nameOptions } from './option-names.js';
import { printFields, printJson, printTable, type Output, type Row } from './output.js';

const applicationName = 'kilotoken-kt';
/** `ledger verify` reads the whole ledger. */
const statementMsMax = 10 * 60_000;

interface TableView {
  /** The fields of the table and their titles. */
  readonly columns: Readonly<Record<string, string>>;
  /** Printed in place of an empty table. */
  readonly nothing: string;
  /** The rows of the table, if they differ from those of the JSON. */
  readonly readable?: readonly Row[];
}

/** Settings, connections and output of one command. Connections are opened on first use. */
export class Context {
  private client: ControlClient | null = null;
  private readonly warnings: string[] = [];
  private connections: ControlPool | null = null;
  private ownersConnections: pg.Pool | null = null;
  /** The command that runs, as the audit log names its changes: `kt.keys.revoke`. */
  private action: string | null = null;
  private signInConnections: ControlPool | null = null;

  constructor(
    private readonly config: KtConfig,
    /** Paths on the command line are relative to this folder. */
    readonly callersFolder: string,
    private readonly output: Output,
  ) {}

  /** Says which command runs. */
  name(command: Command): void {
    this.action = ['kt', command.parent?.name(), command.name()].filter((name) => name !== undefined).join('.');
  }

  /** For commands that write; the login that runs the command is the actor. Loaded on first use, because Prisma takes longer to load than everything else together. */
  async prisma(): Promise<ControlClient> {
    const { createControlClient } = await import('@kilotoken/platform/prisma');
    return (this.client ??= createControlClient(this.config.findControlUrl(), readActor(this.action), { applicationName, statementTimeoutMs: statementMsMax, sessionOptions: operatorSession }));
  }

  /** One transaction that changes rows of an organization. The login that runs the command is its actor. */
  async change<Result>(organizationId: string, work: (db: PrismaDb) => Promise<Result>): Promise<Result> {
    return changeAs(await this.prisma(), organizationId, work);
  }

  /** For commands that only read. */
  get reader(): RawDb {
    return throughPg(this.pool);
  }

  get pool(): ControlPool {
    return (this.connections ??= createControlPool(readActor(this.action), { connectionString: this.config.findControlUrl(), max: 1, applicationName, statementTimeoutMs: statementMsMax, sessionOptions: operatorSession }));
  }

  /** With the owner's login: only it may make and detach partitions. */
  get owner(): pg.Pool {
    return (this.ownersConnections ??= createPool({ connectionString: this.config.findDatabaseUrl(), max: 1, applicationName, statementTimeoutMs: statementMsMax, sessionOptions: actorSession(readActor(this.action)) }));
  }

  /** For people's passwords and sessions: the same login becomes the role that alone reads them. */
  get signIn(): ControlPool {
    const sessionOptions = `-c role=kilotoken_sign_in ${actorSession(readActor(this.action))}`;
    return (this.signInConnections ??= createControlPool(readActor(this.action), { connectionString: this.config.findControlUrl(), max: 1, applicationName, statementTimeoutMs: statementMsMax, sessionOptions }));
  }

  /** The keys of stored secrets. Throws `secret_key_missing`. */
  keyring(): Keyring {
    const keys = this.config.findSecretKeys();
    if (keys) return createKeyring(keys);
    throw new AppError({ code: 'secret_key_missing', kind: 'invalid', publicMessage: 'KILOTOKEN_SECRET_KEY is not set: set it to the keys that the api and the backoffice have.' });
  }

  /** Whether webhooks may use http and reach this machine; for development. */
  get allowPrivateWebhooks(): boolean {
    return this.config.allowPrivateWebhooks;
  }

  get usageRetentionDays(): number | null {
    return this.config.usageRetentionDays;
  }

  readVariable(name: string): string | undefined {
    return this.config.readVariable(name);
  }

  now(): Promise<Date> {
    return readDatabaseNow(this.reader);
  }

  /** Prints rows as JSON with `--json`, else as a table. */
  printRows(command: Command, rows: readonly Row[], { columns, nothing, readable = rows }: TableView): void {
    if (wantsJson(command)) {
      printJson(this.output, rows);
      if (this.warnings.length > 0) this.output.error(`${JSON.stringify({ warnings: this.warnings })}\n`);
    } else printTable(this.output, readable, columns, nothing);
  }

  printRow(command: Command, row: Row): void {
    if (wantsJson(command)) printJson(this.output, this.warnings.length === 0 ? row : { ...row, warnings: this.warnings });
    else printFields(this.output, row);
  }

  /** Reports a likely mistake in a command that succeeds: on standard error, or with `--json` as `warnings` of the row (for lists, on standard error). */
  warn(command: Command, text: string): void {
    if (wantsJson(command)) this.warnings.push(text);
    else this.output.error(`Warning: ${text}\n`);
  }

  /** Prints a remark on standard error, except with `--json`. */
  say(command: Command, text: string): void {
    if (!wantsJson(command)) this.output.error(`${text}\n`);
  }

  async close(): Promise<void> {
    await this.client?.$disconnect();
    await this.connections?.end();
    await this.ownersConnections?.end();
    await this.signInConnections?.end();
  }
}

/** The operating system's login that runs the command, and its machine. */
const readActor = (action: string | null): Actor => ({ kind: 'kt', id: `${userInfo().username}@${hostname()}`, name: null, ...(action === null ? {} : { act: { action } }) });

const wantsJson = (command: Command): boolean => command.opts<{ json?: boolean }>().json === true;

type Action = (command: Command) => Promise<void>;

export const organizationOption = ['--org <slug, name or id>', 'the organization'] as const;

/** Adds a command with `--json`, which all commands have. The action reads `command.opts()` and `command.processedArgs`. */
export const addCommand = (parent: Command, usage: string, description: string, action: Action): Command => {
  const command = parent.command(usage).description(description).option('--json', 'print JSON; amounts are exact decimal strings');
  return command.action(async () => {
    try {
      await action(command);
    } catch (error) {
      throw nameOptions(error, command);
    }
  });
};

/** Lists are paged: `--after` the last row of a page starts the next one. */
export const addPageOptions = (command: Command, cursor: string): Command =>
  command.option(`--after <${cursor}>`, 'start after this row').option('--limit <count>', 'the most rows to show, up to 1000', '100');

export const readPage = (command: Command): { after?: string; limit: number } => {
  const { after, limit } = command.opts<{ after?: string; limit: string }>();
  return { limit: parseWhole('--limit', limit), ...(after === undefined ? {} : { after }) };
};

export const iso = (moment: Date | null): string | null => moment?.toISOString() ?? null;
