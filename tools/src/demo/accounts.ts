import { createApiKey, createOrganization, createProject } from '@kilotoken/identity';
import { listPriceBook, listPriceBooks } from '@kilotoken/marketplace';
import type { ControlClient } from '@kilotoken/platform/prisma';
import type { Customer } from './customers.js';

/** A customer in the database. */
export interface Account {
  readonly customer: Customer;
  readonly organizationId: string;
  readonly accountRootId: string;
  readonly priceBookId: string;
  /** In the order of the customer's projects and their keys. */
  readonly keys: readonly { readonly projectId: string; readonly id: string }[];
}

/** Makes a customer's organization with its projects and keys, below its parent's. Nobody is told the keys: those to use are made by a person. */
export const openAccount = async (prisma: ControlClient, customer: Customer, parent: Account | null): Promise<Account> => {
  const { slug, name, timeZone, projects } = customer;
  const { id: organizationId } = await createOrganization(prisma, { slug, name, timeZone, priceBook: listPriceBook, parentId: parent?.organizationId ?? null });
  const keys: { projectId: string; id: string }[] = [];
  for (const project of projects) {
    const { id: projectId } = await createProject(prisma, { organizationId, name: project.name });
    for (const { name: keyName } of project.keys) keys.push({ projectId, id: (await createApiKey(prisma, { organizationId, projectId, name: keyName })).id });
  }
  const priceBookId = (await listPriceBooks(prisma)).find((book) => book.name === listPriceBook)!.id;
  return { customer, organizationId, accountRootId: parent?.accountRootId ?? organizationId, priceBookId, keys };
};
