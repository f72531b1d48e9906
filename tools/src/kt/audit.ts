import type { Command } from 'commander';
import { listAuditEntries, type AuditEntry } from '@kilotoken/audit';
import { getOrganization } from '@kilotoken/identity';
import { parsePast, parseWhole } from './arguments.js';
import { addCommand, iso, type Context } from './context.js';
import type { Row } from './output.js';

const entryRow = (entry: AuditEntry): Row => ({
  at: iso(entry.at),
  organizationId: entry.organizationId,
  seq: String(entry.seq),
  actor: `${entry.actor.kind} ${entry.actor.id}`,
  onBehalfOf: entry.onBehalfOf,
  action: entry.action,
  objectType: entry.objectType,
  objectId: entry.objectId,
  before: entry.before && JSON.stringify(entry.before),
  after: entry.after && JSON.stringify(entry.after),
  ip: entry.ip,
  requestId: entry.requestId,
  hash: entry.hash,
  cursor: entry.cursor,
});

interface SearchOptions {
  readonly org?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly type?: string;
  readonly object?: string;
  readonly from?: string;
  readonly until?: string;
  readonly after?: string;
  readonly limit: string;
}

export const addAuditCommands = (audit: Command, context: Context): void => {
  addCommand(audit, 'list', 'show who did what, newest first', async (command) => {
    const { org, actor = null, action = null, type = null, object = null, from, until, after = null, limit } = command.opts<SearchOptions>();
    const organizationId = org === undefined ? null : (await getOrganization(context.reader, org)).id;
    const now = await context.now();
    const moment = (option: string, text: string | undefined): Date | null => (text === undefined ? null : parsePast(option, text, now));
    const entries = await listAuditEntries(context.reader, {
      organizationId, actorId: actor, action, objectType: type, objectId: object, from: moment('--from', from), until: moment('--until', until), after, limit: parseWhole('--limit', limit),
    });
    const columns = { at: 'AT', actor: 'WHO', action: 'WHAT', objectType: 'ON', objectId: 'OBJECT', after: 'AFTER' };
    context.printRows(command, entries.map(entryRow), { columns, nothing: 'There are no such entries.' });
  })
    .option('--org <slug, name or id>', 'of one organization (of all, if left out)')
    .option('--actor <id>', 'by one person, token or operator')
    .option('--action <name>', 'one action, or with * at its end several: apiKey.*')
    .option('--type <table>', 'on objects of one kind, such as api_key')
    .option('--object <id>', 'on one object')
    .option('--from <when>', 'from when on: a moment, a day or a span such as 7d')
    .option('--until <when>', 'until when, exclusive')
    .option('--after <cursor>', 'begin behind this one')
    .option('--limit <count>', 'how many at most, up to 1000', '100');
};
