import { Args, Context, ID, Int, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { limitsOfKey } from '../limits/limit.resolver.js';
import { Limit } from '../limits/limit.type.js';
import { Operation } from '../operation/operation.js';
import { Organization } from '../organizations/organization.type.js';
import { badInput, connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { readIdOf } from '../shapes/global-id.js';
import { countApiKeys, findApiKeys, findProjects, listApiKeyRows, listProjectRows, toApiKey, toProject } from './key.store.js';
import { ApiKey, ApiKeyConnection, ApiKeyState, Project, ProjectConnection } from './key.type.js';

export const loadProject = async (operation: Operation, organizationId: string, id: string): Promise<Project | null> => {
  const row = await operation.findReadingOf(organizationId, 'organization.read', 'staff.organizations.read')?.load('project', null, { organizationId, id }, findProjects);
  return row ? toProject(row) : null;
};

export const loadApiKey = async (operation: Operation, organizationId: string, id: string): Promise<ApiKey | null> => {
  const row = await operation.findReadingOf(organizationId, 'keys.read', 'staff.organizations.read')?.load('api key', null, { organizationId, id }, findApiKeys);
  return row ? toApiKey(row) : null;
};

@Resolver(() => Organization)
export class OrganizationKeysResolver {
  @ResolveField(() => ProjectConnection, { description: 'Its projects, in the order of their names.' })
  async projects(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization, @Args() args: PageArgs): Promise<Connection<Project>> {
    const reading = operation.readingOf(organizationId, 'organization.read', 'staff.organizations.read');
    const page = readPage(args, ['text']);
    const rows = await reading.load('projects', page, organizationId, (db, ids) => listProjectRows(db, ids, page));
    return connectionOf(rows, page, ({ name }) => [name], toProject);
  }

  @ResolveField(() => ApiKeyConnection, { description: 'Its API keys, the newest first.' })
  async apiKeys(
    @Context('operation') operation: Operation,
    @Parent() { organizationId }: Organization,
    @Args() args: PageArgs,
    @Args('projectId', { type: () => ID, nullable: true, description: 'Of this project.' }) projectId: string | null,
    @Args('state', { type: () => ApiKeyState, nullable: true, description: 'In this state.' }) state: ApiKeyState | null,
  ): Promise<Connection<ApiKey>> {
    const reading = operation.readingOf(organizationId, 'keys.read', 'staff.organizations.read');
    const page = readPage(args, ['uuid']);
    const project = projectId == null ? null : readIdOf('Project', projectId);
    if (projectId != null && project?.organizationId !== organizationId) throw badInput('projectId: the id of a project of the organization is needed');
    const filter = { projectId: project?.id ?? null, state: state ?? null };
    const rows = await reading.load('api keys', { page, filter }, organizationId, (db, ids) => listApiKeyRows(db, ids, page, filter));
    return connectionOf(rows, page, ({ id }) => [id], toApiKey);
  }
}

@Resolver(() => Project)
export class ProjectResolver {
  @ResolveField(() => Int, { description: 'How many of its keys work.' })
  apiKeyCount(@Context('operation') operation: Operation, @Parent() { organizationId, projectId }: Project): Promise<number> {
    const reading = operation.readingOf(organizationId, 'organization.read', 'staff.organizations.read');
    return reading.load('api key count', null, { organizationId, id: projectId }, countApiKeys);
  }
}

@Resolver(() => ApiKey)
export class ApiKeyResolver {
  @ResolveField(() => Project, { description: 'The project that it spends for.' })
  async project(@Context('operation') operation: Operation, @Parent() { organizationId, projectId }: ApiKey): Promise<Project> {
    const project = await loadProject(operation, organizationId, projectId);
    if (!project) throw new Error(`the project ${projectId} of a key cannot be read`);
    return project;
  }

  @ResolveField(() => [Limit], { description: 'The limits on it, and on the keys that it was rolled from.' })
  limits(@Context('operation') operation: Operation, @Parent() { organizationId, lineageId }: ApiKey): Promise<Limit[]> {
    return limitsOfKey(operation, organizationId, lineageId);
  }
}
