import type { Command } from 'commander';
import { createOrganization, createProject, getOrganization, listOrganizations, listProjects, setTimeZone, type Organization, type Project } from '@kilotoken/identity';
import { ensureListPriceBook, listPriceBook } from '@kilotoken/marketplace';
import { addCommand, addPageOptions, iso, readPage, type Context } from './context.js';
import type { Row } from './output.js';

const organizationRow = ({ id, slug, name, priceBook, timeZone, status, createdAt }: Organization): Row => ({
  id,
  slug,
  name,
  priceBook,
  timeZone,
  status,
  createdAt: iso(createdAt),
});

const projectRow = ({ id, name, createdAt, archivedAt }: Project): Row => ({ id, name, createdAt: iso(createdAt), archivedAt: iso(archivedAt) });

const timeZoneOption = ['--time-zone <zone>', 'where its days begin: a name such as Europe/Berlin'] as const;
export const organizationOption = ['--org <slug or id>', 'the organization'] as const;

export const addOrganizationCommands = (program: Command, context: Context): void => {
  const orgs = program.command('orgs').description('organizations: who buys');
  addCommand(orgs, 'create', 'add an organization', async (command) => {
    const { slug, name = slug, priceBook, timeZone } = command.opts<{ slug: string; name?: string; priceBook: string; timeZone: string }>();
    if (priceBook === listPriceBook) await ensureListPriceBook(context.prisma);
    context.printRow(command, organizationRow(await createOrganization(context.prisma, { slug, name, priceBook, timeZone })));
  })
    .requiredOption('--slug <slug>', 'a short name of small letters, digits and dashes')
    .option('--name <name>', 'what it is called (the slug, if left out)')
    .option('--price-book <name>', 'what it is sold at', listPriceBook)
    .option(...timeZoneOption, 'UTC');

  addCommand(orgs, 'set', 'say where the days of an organization begin from now on', async (command) => {
    const { org, timeZone } = command.opts<{ org: string; timeZone: string }>();
    const { id } = await getOrganization(context.prisma, org);
    context.printRow(command, organizationRow(await setTimeZone(context.prisma, { id, timeZone })));
  })
    .requiredOption(...organizationOption)
    .requiredOption(...timeZoneOption);

  addCommand(orgs, 'show', 'show an organization', async (command) => {
    context.printRow(command, organizationRow(await getOrganization(context.prisma, command.opts<{ org: string }>().org)));
  }).requiredOption(...organizationOption);

  const list = addCommand(orgs, 'list', 'show organizations in the order of their slugs', async (command) => {
    const rows = (await listOrganizations(context.prisma, readPage(command))).map(organizationRow);
    const columns = { slug: 'SLUG', name: 'NAME', priceBook: 'PRICES', timeZone: 'TIME ZONE', status: 'STATUS', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'There are no organizations yet.' });
  });
  addPageOptions(list, 'slug');
};

export const addProjectCommands = (program: Command, context: Context): void => {
  const projects = program.command('projects').description('projects of an organization: what keys belong to');
  addCommand(projects, 'create', 'add a project', async (command) => {
    const { org, name } = command.opts<{ org: string; name: string }>();
    const { id: organizationId } = await getOrganization(context.prisma, org);
    context.printRow(command, projectRow(await createProject(context.prisma, { organizationId, name })));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--name <name>', 'unique within the organization');

  const list = addCommand(projects, 'list', 'show the projects of an organization in the order of their names', async (command) => {
    const { id: organizationId } = await getOrganization(context.prisma, command.opts<{ org: string }>().org);
    const rows = (await listProjects(context.prisma, organizationId, readPage(command))).map(projectRow);
    context.printRows(command, rows, { columns: { name: 'NAME', id: 'ID', createdAt: 'CREATED' }, nothing: 'The organization has no projects yet.' });
  }).requiredOption(...organizationOption);
  addPageOptions(list, 'name');
};
