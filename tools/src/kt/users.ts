import { randomBytes } from 'node:crypto';
import { Option, type Command } from 'commander';
import { customerRoles, staffRoles, type Role } from '@kilotoken/access';
import { getOrganization } from '@kilotoken/identity';
import { ensureListPriceBook } from '@kilotoken/marketplace';
import {
  createPerson,
  createServiceToken,
  ensureCompany,
  erasePerson,
  getPerson,
  listPeople,
  listServiceTokens,
  putMembership,
  removeMember,
  replacePassword,
  revokeServiceToken,
  setPersonDisabled,
  type Person,
  type ServiceToken,
} from '@kilotoken/people';
import { parseNames, parseWhole } from './arguments.js';
import { addCommand, addPageOptions, iso, organizationOption, readPage, type Context } from './context.js';
import type { Row } from './output.js';

const personRow = (person: Person): Row => ({
  id: person.id,
  email: person.email,
  name: person.name,
  secondFactor: person.twoFactorEnabled,
  disabledAt: iso(person.disabledAt),
  createdAt: iso(person.createdAt),
});

const roleOption = () => new Option('--role <role>', 'admin, finance, support, sales_manager or seller in the company; owner, developer, billing or viewer in a customer').choices([...staffRoles, ...customerRoles]);
const userOption = ['--user <e-mail or id>', 'the person'] as const;
const passwordBytes = 18;
/** Said once, to be replaced by its owner. */
const mintPassword = (): string => randomBytes(passwordBytes).toString('base64url');

/** The company where none is named; it is made where there is none. */
const organizationOf = async (context: Context, org: string | undefined): Promise<string> => {
  if (org !== undefined) return (await getOrganization(context.reader, org)).id;
  await ensureListPriceBook(await context.prisma());
  return ensureCompany(context.pool);
};

const printWithPassword = (context: Context, command: Command, person: Person, password: string): void => {
  context.say(command, 'Hand the password over now: it is not shown again. Its owner changes it after signing in.\n');
  context.printRow(command, { password, ...personRow(person) });
};

const addMembershipCommands = (users: Command, context: Context): void => {
  const userOf = (command: Command): Promise<Person> => getPerson(context.pool, command.opts<{ user: string }>().user);
  addCommand(users, 'set-role', 'give a person a role in an organization, as a new member or another role', async (command) => {
    const { org, role } = command.opts<{ org?: string; role: Role }>();
    const person = await userOf(command);
    await putMembership(context.pool, { organizationId: await organizationOf(context, org), personId: person.id, role });
    context.printRow(command, { ...personRow(person), role });
  })
    .requiredOption(...userOption)
    .addOption(roleOption().makeOptionMandatory())
    .option('--org <slug, name or id>', 'the organization (default: the company)');

  addCommand(users, 'remove', "end a person's membership of an organization", async (command) => {
    const person = await userOf(command);
    await removeMember(context.pool, { organizationId: (await getOrganization(context.reader, command.opts<{ org: string }>().org)).id, personId: person.id });
    context.printRow(command, personRow(person));
  })
    .requiredOption(...userOption)
    .requiredOption(...organizationOption);
};

export const addUserCommands = (users: Command, context: Context): void => {
  addMembershipCommands(users, context);
  const userOf = (command: Command): Promise<Person> => getPerson(context.pool, command.opts<{ user: string }>().user);
  addCommand(users, 'create', 'add a person with a role; the password is shown once', async (command) => {
    const { email, name = email, role, org, locale } = command.opts<{ email: string; name?: string; role: Role; org?: string; locale: 'en' | 'zh' }>();
    const organizationId = await organizationOf(context, org);
    const password = mintPassword();
    const person = await createPerson(context.signIn, { email, name, locale }, password);
    await putMembership(context.pool, { organizationId, personId: person.id, role });
    printWithPassword(context, command, person, password);
  })
    .requiredOption('--email <address>', 'the address to sign in with')
    .option('--name <name>', 'the display name (default: the address)')
    .addOption(roleOption().makeOptionMandatory())
    .option('--org <slug, name or id>', 'the organization (default: the company, which is made where there is none)')
    .addOption(new Option('--locale <locale>', 'the language of mails and console').choices(['en', 'zh']).default('en'));

  const list = addCommand(users, 'list', 'show people and their roles, the oldest first', async (command) => {
    const rows = (await listPeople(context.pool, readPage(command))).map((person): Row => ({ ...personRow(person), roles: [...person.roles] }));
    context.printRows(command, rows, { columns: { email: 'E-MAIL', name: 'NAME', roles: 'ROLES', secondFactor: '2FA', disabledAt: 'DISABLED', id: 'ID' }, nothing: 'There are no people yet.' });
  });
  addPageOptions(list, 'id');

  addCommand(users, 'reset-password', 'set a new password, which is shown once, and end all sessions', async (command) => {
    const person = await userOf(command);
    const password = mintPassword();
    await replacePassword(context.signIn, person.id, password);
    printWithPassword(context, command, person, password);
  }).requiredOption(...userOption);

  for (const [name, description, disabled] of [
    ['disable', 'let a person sign in no more and end their sessions', true],
    ['enable', 'let a disabled person sign in again', false],
  ] as const) {
    addCommand(users, name, description, async (command) => {
      context.printRow(command, personRow(await setPersonDisabled(context.signIn, (await userOf(command)).id, disabled)));
    }).requiredOption(...userOption);
  }

  addCommand(users, 'erase', 'take away name, address and every way in; the id stays in histories. Cannot be undone', async (command) => {
    const { id } = await userOf(command);
    await erasePerson(context.signIn, id);
    context.printRow(command, { id, erased: true });
  }).requiredOption(...userOption);
};

const tokenRow = (token: ServiceToken): Row => ({
  id: token.id,
  name: token.name,
  prefix: token.prefix,
  role: token.role,
  permissions: token.permissions,
  status: token.status,
  expiresAt: iso(token.expiresAt),
  lastUsedAt: iso(token.lastUsedAt),
  createdAt: iso(token.createdAt),
});

export const addTokenCommands = (tokens: Command, context: Context): void => {
  const organizationIdOf = async (command: Command): Promise<string> => {
    const { org } = command.opts<{ org?: string }>();
    return org === undefined ? ensureCompany(context.pool) : (await getOrganization(context.reader, org)).id;
  };
  const orgOption = ['--org <slug, name or id>', 'the organization (default: the company)'] as const;

  addCommand(tokens, 'create', 'create a service token for machines; it is shown once', async (command) => {
    const { name, role, permissions, expiresDays } = command.opts<{ name: string; role: Role; permissions?: string; expiresDays: string }>();
    const asked = { organizationId: await organizationIdOf(command), name, role, permissions: permissions === undefined ? null : parseNames('--permissions', permissions) };
    const { token, ...made } = await createServiceToken(context.pool, { ...asked, expiresInDays: parseWhole('--expires-days', expiresDays) });
    context.say(command, 'Copy the token now: it is not shown again.\n');
    context.printRow(command, { token, ...tokenRow(made) });
  })
    .requiredOption('--name <name>', 'its purpose')
    .addOption(roleOption().makeOptionMandatory())
    .option('--permissions <names>', 'only these of the role, with commas between them')
    .option('--expires-days <days>', 'days for which it is valid, 366 at most', '90')
    .option(...orgOption);

  const list = addCommand(tokens, 'list', 'show the service tokens of an organization, the newest first', async (command) => {
    const rows = (await listServiceTokens(context.pool, await organizationIdOf(command), readPage(command))).map(tokenRow);
    context.printRows(command, rows, { columns: { name: 'NAME', prefix: 'PREFIX', role: 'ROLE', status: 'STATUS', expiresAt: 'EXPIRES', lastUsedAt: 'LAST USED', id: 'ID' }, nothing: 'The organization has no service tokens.' });
  }).option(...orgOption);
  addPageOptions(list, 'id');

  addCommand(tokens, 'revoke <id>', 'refuse a token from now on', async (command) => {
    context.printRow(command, tokenRow(await revokeServiceToken(context.pool, { organizationId: await organizationIdOf(command), id: (command.processedArgs as [string])[0] })));
  }).option(...orgOption);
};
