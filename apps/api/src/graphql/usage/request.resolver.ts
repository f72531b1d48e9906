import { Args, Context, ID, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { burnTableIdsOf } from '@kilotoken/usage';
import { loadApiKey, loadProject } from '../keys/key.resolver.js';
import { ApiKey, Project } from '../keys/key.type.js';
import { loadGrant } from '../money/grant.resolver.js';
import { Grant } from '../money/grant.type.js';
import { Operation } from '../operation/operation.js';
import type { Reading } from '../operation/reading.js';
import { Organization } from '../organizations/organization.type.js';
import { badInput, connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { isUuid, readIdOf } from '../shapes/global-id.js';
import { findBurnTables, findPriceVersions, listAttempts, listRequests, type RequestRow, type RequestSought } from './request.store.js';
import { toAttempt, toLines, toRequest } from './request.js';
import { Allocation, Attempt, ChargeLine, Request, RequestConnection, RequestFilter } from './request.type.js';

const modelsMax = 100;
const textCharactersMax = 200;

const readingOf = (operation: Operation, organizationId: string): Reading => operation.readingOf(organizationId, 'usage.read', 'staff.usage.read');
const isForStaff = (operation: Operation): boolean => operation.allows('staff.usage.read', null);

export const loadRequest = async (operation: Operation, organizationId: string, usageId: string): Promise<Request | null> => {
  const reading = operation.findReadingOf(organizationId, 'usage.read', 'staff.usage.read');
  const last = (await reading?.load('attempts', null, { organizationId, id: usageId }, listAttempts))?.at(-1);
  return last ? toRequest(last, isForStaff(operation)) : null;
};

const soughtBy = (organizationId: string, filter: RequestFilter | null): RequestSought => {
  const own = (type: 'Project' | 'ApiKey', id: string | null | undefined, field: string): string | null => {
    if (id == null) return null;
    const found = readIdOf(type, id);
    if (found?.organizationId !== organizationId) throw badInput(`filter.${field}: an id of the organization's own is needed`);
    return found.id;
  };
  const texts = [...(filter?.models ?? []), ...(filter?.outcome == null ? [] : [filter.outcome])];
  if (texts.length > modelsMax || texts.some((text) => text.length > textCharactersMax || text.includes('\0'))) throw badInput(`filter: at most ${modelsMax} names of at most ${textCharactersMax} characters are needed`);
  return {
    from: filter?.from ?? null, until: filter?.until ?? null, models: filter?.models ?? null, outcome: filter?.outcome ?? null,
    projectId: own('Project', filter?.projectId, 'projectId'), apiKeyId: own('ApiKey', filter?.apiKeyId, 'apiKeyId'),
  };
};

@Resolver(() => Organization)
export class OrganizationRequestsResolver {
  @ResolveField(() => RequestConnection, { description: 'Its requests that have settled, the newest first.' })
  async requests(
    @Context('operation') operation: Operation,
    @Parent() { organizationId }: Organization,
    @Args() args: PageArgs,
    @Args('filter', { type: () => RequestFilter, nullable: true, description: 'Narrows them.' }) filter: RequestFilter | null,
  ): Promise<Connection<Request>> {
    const reading = readingOf(operation, organizationId);
    const page = readPage(args, ['uuid']);
    const sought = soughtBy(organizationId, filter ?? null);
    const rows = await reading.load('requests', { page, sought }, organizationId, (db, ids) => listRequests(db, ids, page, sought));
    return connectionOf(rows, page, ({ id }) => [id], (row) => toRequest(row, isForStaff(operation)));
  }

  @ResolveField(() => Request, { nullable: true, description: 'One of them by its global id, or by the id that the gateway answered.' })
  async request(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization, @Args('id', { type: () => ID, description: 'Its id.' }) id: string): Promise<Request | null> {
    readingOf(operation, organizationId);
    const found = isUuid(id) ? { organizationId, id } : readIdOf('Request', id);
    return found?.organizationId === organizationId ? loadRequest(operation, organizationId, found.id) : null;
  }
}

const attemptsOf = (operation: Operation, { organizationId, usageId }: Request): Promise<RequestRow[]> =>
  readingOf(operation, organizationId).load('attempts', null, { organizationId, id: usageId }, listAttempts);

@Resolver(() => Request)
export class RequestResolver {
  @ResolveField(() => Project, { nullable: true, description: 'The project that it was for.' })
  project(@Context('operation') operation: Operation, @Parent() { organizationId, projectId }: Request): Promise<Project | null> {
    return loadProject(operation, organizationId, projectId);
  }

  @ResolveField(() => ApiKey, { nullable: true, description: 'The key that it came with; null where the viewer may not see keys.' })
  apiKey(@Context('operation') operation: Operation, @Parent() { organizationId, apiKeyId }: Request): Promise<ApiKey | null> {
    return loadApiKey(operation, organizationId, apiKeyId);
  }

  @ResolveField(() => [ChargeLine], { description: 'The arithmetic of its charge, line by line.' })
  async lines(@Context('operation') operation: Operation, @Parent() request: Request): Promise<ChargeLine[]> {
    const last = (await attemptsOf(operation, request)).at(-1)!;
    const reading = readingOf(operation, request.organizationId);
    const price = await reading.load('price version', null, last.price, findPriceVersions);
    const tables = await Promise.all(burnTableIdsOf(last).map((id) => reading.load('burn table', null, id, findBurnTables)));
    if (!price || tables.includes(null)) throw new Error(`the request ${last.id} names a price or burn table that was never published`);
    return toLines(last, { price, burnTables: new Map(tables.map((table) => [table!.id, table!])) });
  }

  @ResolveField(() => [Attempt], { description: 'Its attempts, first to last.' })
  async attempts(@Context('operation') operation: Operation, @Parent() request: Request): Promise<Attempt[]> {
    return (await attemptsOf(operation, request)).map((row) => toAttempt(row, isForStaff(operation)));
  }
}

@Resolver(() => Allocation)
export class AllocationResolver {
  @ResolveField(() => Grant, { nullable: true, description: 'The grant; null where the viewer may not see grants.' })
  grant(@Context('operation') operation: Operation, @Parent() { organizationId, grantId }: Allocation): Promise<Grant | null> {
    const found = readIdOf('Grant', grantId);
    return found ? loadGrant(operation, organizationId, found.id) : Promise.resolve(null);
  }
}
