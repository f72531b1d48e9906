import { Args, Context, InputType, Mutation, ObjectType, Resolver } from '@nestjs/graphql';
import { archiveProject, createApiKey, createProject, narrowApiKey, revokeApiKey, rollApiKey } from '@kilotoken/identity';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Count, Id, Moment, Of, optional, Text, Texts } from '../shapes/field.js';
import { invalidInput, notFound, placeOf, resultUnion } from '../shapes/problem.type.js';
import { loadApiKey, loadProject } from './key.resolver.js';
import { ApiKey, Project } from './key.type.js';

const overlapSecondsMax = 90 * 86_400;

@InputType({ description: 'A new project.' })
export class CreateProjectInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Text('Its name, unique in the organization.')
  readonly name!: string;
}
const CreateProjectResult = resultUnion('CreateProjectResult', Project);

@InputType({ description: 'The project to archive.' })
export class ArchiveProjectInput extends ChangeInput {
  @Id('The project.')
  readonly id!: string;
}
const ArchiveProjectResult = resultUnion('ArchiveProjectResult', Project);

@ObjectType({ description: 'A key with its text, which nobody can show again.' })
class CreatedApiKey {
  readonly __typename!: 'CreatedApiKey';

  @Of(() => ApiKey, 'The key.')
  readonly apiKey!: ApiKey;

  @Text('Its text. Keep it; it is shown this once.')
  readonly secret!: string;
}

@InputType({ description: 'A new key.' })
export class CreateApiKeyInput extends ChangeInput {
  @Id('The project that it spends for.')
  readonly projectId!: string;

  @Text('Its name.')
  readonly name!: string;

  @Texts('The models that it may call; all if left out.', optional)
  readonly allowedModels?: string[] | null;

  @Moment('When it ends by itself; never if left out.', optional)
  readonly expiresAt?: Date | null;
}
const CreateApiKeyResult = resultUnion('CreateApiKeyResult', CreatedApiKey);

@InputType({ description: 'The key to replace.' })
export class RollApiKeyInput extends ChangeInput {
  @Id('The key.')
  readonly id!: string;

  @Count('How long the old one still works, in seconds; not at all if left out.', optional)
  readonly overlapSeconds?: number | null;
}
const RollApiKeyResult = resultUnion('RollApiKeyResult', CreatedApiKey);

@InputType({ description: 'The key to end.' })
export class RevokeApiKeyInput extends ChangeInput {
  @Id('The key.')
  readonly id!: string;
}
const RevokeApiKeyResult = resultUnion('RevokeApiKeyResult', ApiKey);

@InputType({ description: 'New terms of a key, never wider than its old ones. A field that is left out stays as it is.' })
export class UpdateApiKeyInput extends ChangeInput {
  @Id('The key.')
  readonly id!: string;

  @Text('Its name.', optional)
  readonly name?: string | null;

  @Texts('Some of the models that it may call.', optional)
  readonly allowedModels?: string[] | null;

  @Moment('An earlier end.', optional)
  readonly expiresAt?: Date | null;
}
const UpdateApiKeyResult = resultUnion('UpdateApiKeyResult', ApiKey);

const getKey = async (operation: Operation, organizationId: string, id: string): Promise<ApiKey> => {
  const key = await loadApiKey(operation, organizationId, id);
  if (!key) throw notFound();
  return key;
};

const getProjectOf = async (operation: Operation, organizationId: string, id: string): Promise<Project> => {
  const project = await loadProject(operation, organizationId, id);
  if (!project) throw notFound();
  return project;
};

@Resolver()
export class KeyChangesResolver {
  @Mutation(() => CreateProjectResult, { description: 'Makes a project.' })
  createProject(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: CreateProjectInput) {
    return operation.change('createProject', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.require('projects.write', organizationId);
      const { id } = await changes.throughClient(organizationId, (client) => createProject(client, { organizationId, name: input.name }));
      return getProjectOf(operation, organizationId, id);
    });
  }

  @Mutation(() => ArchiveProjectResult, { description: 'Archives a project for good. It must have no key that works.' })
  archiveProject(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: ArchiveProjectInput) {
    return operation.change('archiveProject', input, async (changes) => {
      const { organizationId, id } = placeOf('Project', input.id);
      operation.require('projects.write', organizationId);
      await changes.throughClient(organizationId, (client) => archiveProject(client, { organizationId, id }));
      return getProjectOf(operation, organizationId, id);
    });
  }

  @Mutation(() => CreateApiKeyResult, { description: 'Makes a key. Its text is shown once, here.' })
  createApiKey(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: CreateApiKeyInput) {
    return operation.change('createApiKey', input, async (changes) => {
      const { organizationId, id: projectId } = placeOf('Project', input.projectId);
      operation.require('keys.write', organizationId);
      const { name, expiresAt = null, allowedModels = null } = input;
      const { id, key } = await changes.throughClient(organizationId, (client) => createApiKey(client, { organizationId, projectId, name, expiresAt, allowedModels }));
      return { __typename: 'CreatedApiKey', apiKey: await getKey(operation, organizationId, id), secret: key };
    });
  }

  @Mutation(() => RollApiKeyResult, { description: 'Replaces a key by a new one that may do the same, and ends the old one.' })
  rollApiKey(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RollApiKeyInput) {
    return operation.change('rollApiKey', input, async (changes) => {
      const { organizationId, id } = placeOf('ApiKey', input.id);
      operation.require('keys.write', organizationId);
      const overlapSeconds = input.overlapSeconds ?? 0;
      if (overlapSeconds < 0 || overlapSeconds > overlapSecondsMax) throw invalidInput('overlapSeconds', `a number from 0 to ${overlapSecondsMax} is needed`);
      const rolled = await changes.throughClient(organizationId, (client) => rollApiKey(client, { organizationId, id, overlapMs: overlapSeconds * 1_000 }));
      return { __typename: 'CreatedApiKey', apiKey: await getKey(operation, organizationId, rolled.id), secret: rolled.key };
    });
  }

  @Mutation(() => RevokeApiKeyResult, { description: 'Ends a key for good, on every gateway within a second.' })
  revokeApiKey(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RevokeApiKeyInput) {
    return operation.change('revokeApiKey', input, async (changes) => {
      const { organizationId, id } = placeOf('ApiKey', input.id);
      operation.require('keys.write', organizationId);
      await changes.throughClient(organizationId, (client) => revokeApiKey(client, { organizationId, id }));
      return getKey(operation, organizationId, id);
    });
  }

  @Mutation(() => UpdateApiKeyResult, { description: 'Renames a key, or narrows it to fewer models or an earlier end.' })
  updateApiKey(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: UpdateApiKeyInput) {
    return operation.change('updateApiKey', input, async (changes) => {
      const { organizationId, id } = placeOf('ApiKey', input.id);
      operation.require('keys.write', organizationId);
      const { name, allowedModels, expiresAt } = input;
      const narrower = { ...(name == null ? {} : { name }), ...(allowedModels == null ? {} : { allowedModels }), ...(expiresAt == null ? {} : { expiresAt }) };
      await changes.throughClient(organizationId, (client) => narrowApiKey(client, { organizationId, id, ...narrower }));
      return getKey(operation, organizationId, id);
    });
  }
}
