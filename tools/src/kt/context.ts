import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import { actorSession, changeAs, createControlPool, createPool, operatorSession, readDatabaseNow, throughPg, type Actor, type ControlPool, type RawDb } from '@kilotoken/platform';
import type { ControlClient, PrismaDb } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { parseWhole } from './arguments.js';
import type { KtConfig } from './config.js';
import { nameOptions } from './option-names.js';
import { printFields, printJson, printTable, type Output, type Row } from './output.js';

const applicationName = 'kilotoken-kt';
/** Proving a large ledger reads all of it. */
const statementMsMax = 10 * 60_000;

interface TableView {
  /** Which fields a person sees, and their titles. */
  readonly columns: Readonly<Record<string, string>>;
  /** What is said in place of an empty table. */
  readonly nothing: string;
  /** The rows as a person reads them, where that is not how JSON has them. */
  readonly readable?: readonly Row[];
}

/** What a command has to work with. Connections are made when they are first asked for. */
export class Context {
  private client: ControlClient | null = null;
  private readonly warnings: string[] = [];
  private connections: ControlPool | null = null;
  private ownersConnections: pg.Pool | null = null;

  constructor(
    private readonly config: KtConfig,
    /** What paths on the command line are relative to. */
    readonly callersFolder: string,
    private readonly output: Output,
  ) {}

  /** For commands that write, in the name of whoever runs them. It is loaded when one asks for it: Prisma takes longer to load than everything else here together. */
  async prisma(): Promise<ControlClient> {
    const { createControlClient } = await import('@kilotoken/platform/prisma');
    return (this.client ??= createControlClient(this.config.findControlUrl(), readActor(), { applicationName, statementTimeoutMs: statementMsMax, sessionOptions: operatorSession }));
  }

  /** One transaction that changes rows of an organization, in the name of whoever runs the command. */
  async change<Result>(organizationId: string, work: (db: PrismaDb) => Promise<Result>): Promise<Result> {
    return changeAs(await this.prisma(), organizationId, work);
  }

  /** For commands that only show. */
  get reader(): RawDb {
    return throughPg(this.pool);
  }

  get pool(): ControlPool {
    return (this.connections ??= createControlPool(readActor(), { connectionString: this.config.findControlUrl(), max: 1, applicationName, statementTimeoutMs: statementMsMax, sessionOptions: operatorSession }));
  }

  /** With the owner's login, which alone makes and detaches partitions and repairs usage and its sums. */
  get owner(): pg.Pool {
    return (this.ownersConnections ??= createPool({ connectionString: this.config.findDatabaseUrl(), max: 1, applicationName, statementTimeoutMs: statementMsMax, sessionOptions: actorSession(readActor()) }));
  }

  /** Whether webhooks may go by http and to this machine: for development. */
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

  /** Prints rows as the command's `--json` says. */
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

  /** What is done all the same but may be a mistake: for a person on standard error, in JSON as `warnings` of the row, or beside rows on standard error. */
  warn(command: Command, text: string): void {
    if (wantsJson(command)) this.warnings.push(text);
    else this.output.error(`Warning: ${text}\n`);
  }

  /** Something for a person only. */
  say(command: Command, text: string): void {
    if (!wantsJson(command)) this.output.error(`${text}\n`);
  }

  async close(): Promise<void> {
    await this.client?.$disconnect();
    await this.connections?.end();
    await this.ownersConnections?.end();
  }
}

/** The login that runs the command, and its machine. */
const readActor = (): Actor => ({ kind: 'kt', id: `${userInfo().username}@${hostname()}`, name: null });

const wantsJson = (command: Command): boolean => command.opts<{ json?: boolean }>().json === true;

type Action = (command: Command) => Promise<void>;

export const organizationOption = ['--org <slug, name or id>', 'the organization'] as const;

/** Adds a command that has `--json`, as all have. What it needs it takes from `command.opts()` and `command.processedArgs`. */
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

/** Lists are bounded: the next page begins behind the last row of this one. */
export const addPageOptions = (command: Command, cursor: string): Command =>
  command.option(`--after <${cursor}>`, 'begin behind this one').option('--limit <count>', 'how many at most, up to 1000', '100');

export const readPage = (command: Command): { after?: string; limit: number } => {
  const { after, limit } = command.opts<{ after?: string; limit: string }>();
  return { limit: parseWhole('--limit', limit), ...(after === undefined ? {} : { after }) };
};

export const iso = (moment: Date | null): string | null => moment?.toISOString() ?? null;
