import type { Command } from 'commander';
import type { Context } from './context.js';

/** The subjects of the command line. A subject's commands are loaded only when it is named, so that none waits for the libraries of another. */
interface Subject {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<(subject: Command, context: Context) => void>;
}

const subjects: readonly Subject[] = [
  { name: 'orgs', description: 'organizations: the customers', load: async () => (await import('./organizations.js')).addOrganizationCommands },
  { name: 'users', description: 'people, their roles and passwords', load: async () => (await import('./users.js')).addUserCommands },
  { name: 'tokens', description: 'service tokens: access of machines to GraphQL', load: async () => (await import('./users.js')).addTokenCommands },
  { name: 'projects', description: 'projects of an organization; each key belongs to one', load: async () => (await import('./organizations.js')).addProjectCommands },
  { name: 'keys', description: 'API keys of requests', load: async () => (await import('./keys.js')).addKeyCommands },
  { name: 'grants', description: 'grants: amounts that an organization can spend', load: async () => (await import('./grants.js')).addGrantCommands },
  { name: 'transfers', description: 'rules by which an organization pays for those below it', load: async () => (await import('./accounts.js')).addTransferCommands },
  { name: 'approvals', description: 'amounts that wait for a second person', load: async () => (await import('./accounts.js')).addApprovalCommands },
  { name: 'audit', description: 'the audit log: who did what', load: async () => (await import('./audit.js')).addAuditCommands },
  { name: 'packs', description: 'pack units of token packages, and the burn tables of tokens', load: async () => (await import('./packs.js')).addPackCommands },
  { name: 'limits', description: 'limits on requests, tokens or concurrency', load: async () => (await import('./limits.js')).addLimitCommands },
  { name: 'budgets', description: 'budgets of money or tokens for a day, a week or a month', load: async () => (await import('./limits.js')).addBudgetCommands },
  { name: 'lanes', description: 'lanes: the engines and vendors that serve models, and their cost', load: async () => (await import('./catalogue.js')).addLaneCommands },
  { name: 'models', description: 'models for sale', load: async () => (await import('./catalogue.js')).addModelCommands },
  { name: 'ledger', description: 'the double-entry ledger behind the grants', load: async () => (await import('./ledger.js')).addLedgerCommands },
  { name: 'quarantine', description: 'usage that could not be settled, rated or trusted', load: async () => (await import('./quarantine.js')).addQuarantineCommands },
  { name: 'partitions', description: 'partitions of usage: make, export, detach', load: async () => (await import('./partitions.js')).addPartitionCommands },
  { name: 'rollups', description: 'rollups: usage by minute, hour and day', load: async () => (await import('./rollups.js')).addRollupCommands },
  { name: 'webhooks', description: 'webhooks: addresses that receive events of an organization', load: async () => (await import('./webhooks.js')).addWebhookCommands },
  { name: 'jobs', description: 'jobs of the queues, dead ones included', load: async () => (await import('./jobs.js')).addJobCommands },
  { name: 'notices', description: 'notices: mails to an organization, and its low-balance threshold', load: async () => (await import('./notices.js')).addNoticeCommands },
  { name: 'secrets', description: 'stored secrets: encrypt them under a new key', load: async () => (await import('./secrets.js')).addSecretCommands },
];

/** Adds every subject by its name, and the commands of those that stand among the words. */
export const addSubjects = async (program: Command, context: Context, words: readonly string[]): Promise<void> => {
  for (const { name, description, load } of subjects) {
    const subject = program.command(name).description(description);
    if (words.includes(name)) (await load())(subject, context);
  }
};
