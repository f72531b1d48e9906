import { Option, type Command } from 'commander';
import { maxTokensPolicies, type MaxTokensPolicy, unsupportedParameterPolicies, type UnsupportedParameterPolicy } from '@kilotoken/contracts';
import { createApiKey, findApiKey, getOrganization, getProject, listApiKeys, revokeApiKey, rollApiKey, setApiKey, type ApiKey, type IssuedApiKey } from '@kilotoken/identity';
import { parseMoment, parseNames, parseSpan } from './arguments.js';
import { addCommand, addPageOptions, iso, organizationOption, readPage, type Context } from './context.js';
import { warnOfMissingModels } from './missing-models.js';
import type { Row } from './output.js';

const keyRow = (key: ApiKey): Row => ({
  id: key.id,
  projectId: key.projectId,
  name: key.name,
  prefix: key.prefix,
  status: key.status,
  allowedModels: key.allowedModels,
  unsupportedParameters: key.unsupportedParameters,
  maxTokensAbove: key.maxTokensAbove,
  expiresAt: iso(key.expiresAt),
  revokedAt: iso(key.revokedAt),
  lastUsedAt: iso(key.lastUsedAt),
  createdAt: iso(key.createdAt),
});

const asModel = 'model';
interface SettingOptions {
  readonly unsupportedParameters?: UnsupportedParameterPolicy | typeof asModel;
  readonly maxTokensAbove?: MaxTokensPolicy | typeof asModel;
}

const addSettingOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--unsupported-parameters <policy>', "how to treat parameters that no lane supports (default: the model's policy)").choices([...unsupportedParameterPolicies, asModel]),
    )
    .addOption(new Option('--max-tokens-above <policy>', "how to treat a max_tokens above the model's (default: the model's policy)").choices([...maxTokensPolicies, asModel]));

/** `model` is stored as null, the model's policy; an omitted option is undefined and changes nothing. */
const readSettings = ({ unsupportedParameters, maxTokensAbove }: SettingOptions) => ({
  unsupportedParameters: unsupportedParameters === asModel ? null : unsupportedParameters,
  maxTokensAbove: maxTokensAbove === asModel ? null : maxTokensAbove,
});

export const addKeyCommands = (keys: Command, context: Context): void => {
  const organizationIdOf = async (command: Command) => (await getOrganization(context.reader, command.opts<{ org: string }>().org)).id;
  const placeOf = async (command: Command) => {
    const organizationId = await organizationIdOf(command);
    return { organizationId, id: (await findApiKey(context.reader, organizationId, (command.processedArgs as [string])[0])).id };
  };
  const printIssued = (command: Command, issued: IssuedApiKey) => {
    context.say(command, 'Copy the key now: it is not shown again.\n');
    context.printRow(command, { key: issued.key, ...keyRow(issued) });
  };

  const create = addCommand(keys, 'create', 'create a key; it is shown once', async (command) => {
    const { project, name, models, expires, ...settings } = command.opts<SettingOptions & { project: string; name: string; models?: string; expires?: string }>();
    const organizationId = await organizationIdOf(command);
    const { id: projectId } = await getProject(context.reader, organizationId, project);
    const expiresAt = expires === undefined ? null : parseMoment('--expires', expires, await context.now());
    const allowedModels = models === undefined ? null : parseNames('--models', models);
    await warnOfMissingModels(command, context, allowedModels);
    printIssued(command, await createApiKey(await context.prisma(), { organizationId, projectId, name, expiresAt, allowedModels, ...readSettings(settings) }));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--project <name or id>', 'the project that the key belongs to')
    .requiredOption('--name <name>', 'its name, such as server')
    .option('--models <ids>', 'the models that it may use, separated by commas (default: all)')
    .option('--expires <when>', 'a moment, a day or a span such as 30d (default: never)');
  addSettingOptions(create);

  const set = addCommand(keys, 'set <key>', "change a key's policies; omitted options stay as they are", async (command) => {
    const settings = readSettings(command.opts<SettingOptions>());
    context.printRow(command, keyRow(await setApiKey(await context.prisma(), { ...(await placeOf(command)), ...settings })));
  }).requiredOption(...organizationOption);
  addSettingOptions(set);

  const list = addCommand(keys, 'list', 'show the keys of an organization, oldest first, without their secrets', async (command) => {
    const rows = (await listApiKeys(context.reader, await organizationIdOf(command), readPage(command))).map(keyRow);
    const columns = { prefix: 'KEY', name: 'NAME', status: 'STATUS', allowedModels: 'MODELS', expiresAt: 'EXPIRES', lastUsedAt: 'LAST USED', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'The organization has no keys yet.' });
  }).requiredOption(...organizationOption);
  addPageOptions(list, 'id');

  addCommand(keys, 'roll <key>', 'replace a key with a new one of the same rights; the old one expires', async (command) => {
    const { overlap } = command.opts<{ overlap?: string }>();
    const overlapMs = overlap === undefined ? 0 : parseSpan('--overlap', overlap);
    printIssued(command, await rollApiKey(await context.prisma(), { ...(await placeOf(command)), overlapMs }));
  })
    .requiredOption(...organizationOption)
    .option('--overlap <span>', 'how long the old key still works, such as 24h (default: it ends at once)');

  addCommand(keys, 'revoke <key>', 'revoke a key for good; every gateway refuses it within a second', async (command) => {
    context.printRow(command, keyRow(await revokeApiKey(await context.prisma(), await placeOf(command))));
  }).requiredOption(...organizationOption);
};
