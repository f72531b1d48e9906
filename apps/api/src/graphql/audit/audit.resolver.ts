import { Args, Context, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { listAuditEntries, type AuditEntry as StoredEntry } from '@kilotoken/audit';
import { throughPg } from '@kilotoken/platform';
import { Operation } from '../operation/operation.js';
import type { Reading } from '../operation/reading.js';
import { loadOrganization } from '../organizations/organization.resolver.js';
import { Organization } from '../organizations/organization.type.js';
import { toActor } from '../people/actor.js';
import { connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { globalId } from '../shapes/global-id.js';
import { AuditEntry, AuditEntryConnection, AuditFilter } from './audit.type.js';

const toEntry = async (reading: Reading, { organizationId, seq, actor, ...entry }: StoredEntry): Promise<AuditEntry> => ({
  __typename: 'AuditEntry',
  id: globalId('AuditEntry', organizationId, String(seq)),
  organizationId,
  actor: await toActor(reading, actor),
  at: entry.at,
  action: entry.action,
  objectType: entry.objectType,
  objectId: entry.objectId,
  before: entry.before,
  after: entry.after,
  ip: entry.ip,
  requestId: entry.requestId,
  hash: entry.hash,
});

const page = async (reading: Reading, args: PageArgs, organizationId: string | null, filter: AuditFilter | null): Promise<Connection<AuditEntry>> => {
  const asked = readPage(args, ['text']);
  const { actorId = null, action = null, objectId = null, from = null, until = null } = filter ?? {};
  const search = { organizationId, actorId, action, objectId, from, until, after: asked.after?.[0] ?? null, limit: asked.first + 1 };
  const rows = await reading.run((db) => listAuditEntries(throughPg(db), search));
  const entries = await Promise.all(rows.map(async (row) => ({ cursor: row.cursor, entry: await toEntry(reading, row) })));
  return connectionOf(entries, asked, ({ cursor }) => [cursor], ({ entry }) => entry);
};

@Resolver(() => AuditEntry)
export class AuditEntryResolver {
  @Query(() => AuditEntryConnection, { description: 'The audit log of all organizations, the last first. Of the staff.' })
  auditLog(
    @Context('operation') operation: Operation,
    @Args() args: PageArgs,
    @Args('filter', { type: () => AuditFilter, nullable: true, description: 'Narrows it.' }) filter: AuditFilter | null,
  ): Promise<Connection<AuditEntry>> {
    return page(operation.staffReadingFor('staff.audit.read'), args, null, filter ?? null);
  }

  @ResolveField(() => Organization, { nullable: true, description: "The organization in whose chain it stands; null for the platform's." })
  organization(@Context('operation') operation: Operation, @Parent() { organizationId }: AuditEntry): Promise<Organization | null> {
    return loadOrganization(operation, organizationId);
  }
}

@Resolver(() => Organization)
export class OrganizationAuditResolver {
  @ResolveField(() => AuditEntryConnection, { description: 'Its audit log, the last first.' })
  auditLog(
    @Context('operation') operation: Operation,
    @Parent() { organizationId }: Organization,
    @Args() args: PageArgs,
    @Args('filter', { type: () => AuditFilter, nullable: true, description: 'Narrows it.' }) filter: AuditFilter | null,
  ): Promise<Connection<AuditEntry>> {
    return page(operation.readingOf(organizationId, 'audit.read', 'staff.audit.read'), args, organizationId, filter ?? null);
  }
}
