import type { Command } from 'commander';
import type { Context } from './context.js';

/** What the command line knows how to do, by subject. The commands of a subject are loaded when it is named, so that none waits for the libraries of another. */
interface Subject {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<(subject: Command, context: Context) => void>;
}

const subjects: readonly Subject[] = [
  { name: 'orgs', description: 'organizations: who buys', load: async () => (await import('./organizations.js')).addOrganizationCommands },
  { name: 'projects', description: 'projects of an organization: what keys belong to', load: async () => (await import('./organizations.js')).addProjectCommands },
  { name: 'keys', description: 'API keys: what requests come with', load: async () => (await import('./keys.js')).addKeyCommands },
  { name: 'grants', description: 'grants: what an organization may spend', load: async () => (await import('./grants.js')).addGrantCommands },
  { name: 'packs', description: 'pack units: what token packages are counted in, and how tokens burn them', load: async () => (await import('./packs.js')).addPackCommands },
  { name: 'limits', description: 'limits: how much may be used in a time', load: async () => (await import('./limits.js')).addLimitCommands },
  { name: 'budgets', description: 'budgets: how much money or how many tokens may be used in a day, a week or a month', load: async () => (await import('./limits.js')).addBudgetCommands },
  { name: 'lanes', description: 'lanes: how models are answered, and at which cost', load: async () => (await import('./catalogue.js')).addLaneCommands },
  { name: 'models', description: 'models that are for sale', load: async () => (await import('./catalogue.js')).addModelCommands },
  { name: 'ledger', description: 'the double-entry ledger behind the grants', load: async () => (await import('./ledger.js')).addLedgerCommands },
  { name: 'quarantine', description: 'usage that could not be settled, rated or trusted', load: async () => (await import('./quarantine.js')).addQuarantineCommands },
  { name: 'partitions', description: 'partitions of usage: made ahead, exported, detached', load: async () => (await import('./partitions.js')).addPartitionCommands },
  { name: 'rollups', description: 'rollups: what was used by minute, hour and day', load: async () => (await import('./rollups.js')).addRollupCommands },
  { name: 'webhooks', description: 'webhooks: where an organization wants its events', load: async () => (await import('./webhooks.js')).addWebhookCommands },
  { name: 'jobs', description: 'jobs: what queues have to do, and what failed for good', load: async () => (await import('./jobs.js')).addJobCommands },
  { name: 'notices', description: 'notices: what an organization is told by mail, and when its balance is low', load: async () => (await import('./notices.js')).addNoticeCommands },
];

/** Adds every subject by its name, and the commands of those that stand among the words. */
export const addSubjects = async (program: Command, context: Context, words: readonly string[]): Promise<void> => {
  for (const { name, description, load } of subjects) {
    const subject = program.command(name).description(description);
    if (words.includes(name)) (await load())(subject, context);
  }
};
