import type { Command } from 'commander';
import { createOrganization, createProject, getOrganization, listOrganizations, listProjects, setTimeZone, type Organization, type Project } from '@kilotoken/identity';
import { ensureListPriceBook, listPriceBook } from '@kilotoken/marketplace';
import { addCommand, addPageOptions, iso, organizationOption, readPage, type Context } from './context.js';
import type { Row } from './output.js';

const organizationRow = ({ id, slug, name, priceBook, timeZone, status, parentId, createdAt }: Organization): Row => ({
  id,
  slug,
  name,
  priceBook,
  timeZone,
  status,
  ...(parentId === null ? {} : { parentId }),
  createdAt: iso(createdAt),
});

const projectRow = ({ id, name, createdAt, archivedAt }: Project): Row => ({ id, name, createdAt: iso(createdAt), archivedAt: iso(archivedAt) });

const timeZoneOption = ['--time-zone <zone>', 'the time zone of its days, such as Europe/Berlin'] as const;

export const addOrganizationCommands = (orgs: Command, context: Context): void => {
  addCommand(orgs, 'create', 'add an organization', async (command) => {
    const { slug, name = slug, timeZone, parent: parentText, ...given } = command.opts<{ slug: string; name?: string; priceBook?: string; timeZone: string; parent?: string }>();
    const parent = parentText === undefined ? null : await getOrganization(context.reader, parentText);
    const priceBook = given.priceBook ?? parent?.priceBook ?? listPriceBook;
    if (priceBook === listPriceBook) await ensureListPriceBook(await context.prisma());
    context.printRow(command, organizationRow(await createOrganization(await context.prisma(), { slug, name, priceBook, timeZone, parentId: parent?.id ?? null })));
  })
    .requiredOption('--slug <slug>', 'a short name of lower-case letters, digits and dashes')
    .option('--name <name>', 'its display name (default: the slug)')
    .option('--price-book <name>', `the price book that it pays by (default: that of its parent, or ${listPriceBook})`)
    .option('--parent <slug, name or id>', 'the organization above it in its account tree, which may pay for it by transfers')
    .option(...timeZoneOption, 'UTC');

  addCommand(orgs, 'set', "change an organization's time zone from now on", async (command) => {
    const { org, timeZone } = command.opts<{ org: string; timeZone: string }>();
    const { id } = await getOrganization(context.reader, org);
    context.printRow(command, organizationRow(await setTimeZone(await context.prisma(), { id, timeZone })));
  })
    .requiredOption(...organizationOption)
    .requiredOption(...timeZoneOption);

  addCommand(orgs, 'show', 'show an organization', async (command) => {
    context.printRow(command, organizationRow(await getOrganization(context.reader, command.opts<{ org: string }>().org)));
  }).requiredOption(...organizationOption);

  const list = addCommand(orgs, 'list', 'show organizations, ordered by slug', async (command) => {
    const rows = (await listOrganizations(context.reader, readPage(command))).map(organizationRow);
    const columns = { slug: 'SLUG', name: 'NAME', priceBook: 'PRICES', timeZone: 'TIME ZONE', status: 'STATUS', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'There are no organizations yet.' });
  });
  addPageOptions(list, 'slug');
};

export const addProjectCommands = (projects: Command, context: Context): void => {
  addCommand(projects, 'create', 'add a project', async (command) => {
    const { org, name } = command.opts<{ org: string; name: string }>();
    const { id: organizationId } = await getOrganization(context.reader, org);
    context.printRow(command, projectRow(await createProject(await context.prisma(), { organizationId, name })));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--name <name>', 'unique within the organization');

  const list = addCommand(projects, 'list', 'show the projects of an organization, ordered by name', async (command) => {
    const { id: organizationId } = await getOrganization(context.reader, command.opts<{ org: string }>().org);
    const rows = (await listProjects(context.reader, organizationId, readPage(command))).map(projectRow);
    context.printRows(command, rows, { columns: { name: 'NAME', id: 'ID', createdAt: 'CREATED' }, nothing: 'The organization has no projects yet.' });
  }).requiredOption(...organizationOption);
  addPageOptions(list, 'name');
};
