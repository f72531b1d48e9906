import { resolve } from 'node:path';
import type { Command } from 'commander';
import { applyLanesFile, type Catalogue, describeKeyProblem, findKeyProblemsInFile, type Lane, type LaneCost, listPriceBooks, loadCatalogue, planLanesFile } from '@kilotoken/marketplace';
import { formatMoney } from '@kilotoken/money';
import { priceAt, priceKey } from '@kilotoken/pricing';
import { addCommand, iso, type Context } from './context.js';
import { readableStep, stepRow } from './listing-steps.js';
import type { Row, Value } from './output.js';

const costRow = ({ currency, per, rates }: LaneCost): Row => ({
  currency,
  per: String(per),
  ...Object.fromEntries(Object.entries(rates).map(([name, amount]): [string, Value] => [name, amount === null ? null : formatMoney(amount)])),
});

const laneRow = (lane: Lane): Row => ({
  id: lane.id,
  model: lane.modelId,
  position: lane.position,
  kind: lane.kind,
  baseUrl: lane.baseUrl,
  upstreamModel: lane.upstreamModel,
  keyEnv: lane.keyEnv,
  cost: costRow(lane.cost),
  capabilities: [...lane.capabilities],
  tokenClasses: [...lane.tokenClasses],
  tokenizer: lane.tokenizer,
  timeouts: { ...lane.timeouts },
  drain: lane.drain,
});

export const addLaneCommands = (lanes: Command, context: Context): void => {
  addCommand(lanes, 'apply <file>', 'apply a lanes file to models, lanes and prices, as KILOTOKEN_LANES does at each start', async (command) => {
    const [file] = command.processedArgs as [string];
    const { dryRun = false } = command.opts<{ dryRun?: boolean }>();
    const path = resolve(context.callersFolder, file);
    const steps = await (dryRun ? planLanesFile : applyLanesFile)(await context.prisma(), path);
    // The gateway reads vendors' keys from its own environment, which is often the same as this one.
    for (const problem of await findKeyProblemsInFile(path, (name) => context.readVariable(name))) context.warn(command, `in this environment ${describeKeyProblem(problem)}.`);
    const rows = steps.map(stepRow);
    const columns = { change: 'CHANGE', model: 'MODEL', lane: 'LANE', effectiveAt: 'FROM', changes: 'CHANGES' };
    context.printRows(command, rows, { columns, nothing: 'Models, lanes and prices already match the file.', readable: rows.map(readableStep) });
    if (dryRun && rows.length > 0) context.say(command, 'Nothing was changed. Run the command without --dry-run to apply these changes.');
  }).option('--dry-run', 'show the changes and when they take effect, without applying them');

  addCommand(lanes, 'list', 'show the lanes in use, in the order in which requests try them', async (command) => {
    const { models } = await loadCatalogue(context.pool);
    const rows = [...models.values()].flatMap((model) => model.lanes.map(laneRow));
    const columns = { model: 'MODEL', position: 'POSITION', kind: 'KIND', baseUrl: 'BASE URL', upstreamModel: 'UPSTREAM MODEL', cost: 'COST', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'There are no lanes yet.' });
  });
};

interface PriceRow extends Row {
  readonly priceBook: string;
  readonly currency: string;
  readonly effectiveAt: string | null;
  readonly rates: readonly { readonly tokenClass: string; readonly amount: string | null; readonly per: string }[];
}

/** The prices of a model in effect, one per price book. */
const pricesOf = (modelId: string, { prices }: Catalogue, books: readonly { id: string; name: string }[], now: Date): PriceRow[] =>
  books.flatMap(({ id, name }) => {
    const version = priceAt(prices.get(priceKey(id, modelId)) ?? [], now.getTime());
    if (!version) return [];
    const rates = [...version.rates].map(([tokenClass, { amount, per }]) => ({ tokenClass, amount: amount === null ? null : formatMoney(amount), per: String(per) }));
    return [{ priceBook: name, currency: version.currency, effectiveAt: iso(new Date(version.effectiveAtMs)), rates }];
  });

const describePrice = ({ priceBook, currency, rates }: PriceRow): string =>
  `${priceBook}: ${rates.map(({ tokenClass, amount, per }) => `${tokenClass} ${amount ?? 'none'}/${per}`).join(', ')} ${currency}`;

export const addModelCommands = (commands: Command, context: Context): void => {
  addCommand(commands, 'list', 'show the models for sale and their prices in each price book', async (command) => {
    const catalogue = await loadCatalogue(context.pool);
    const books = await listPriceBooks(context.reader);
    const now = await context.now();
    const rows = [...catalogue.models.values()].map(({ id, lanes, createdAt, ...terms }) => ({
      id,
      ...terms,
      lanes: lanes.length,
      createdAt: iso(createdAt),
      prices: pricesOf(id, catalogue, books, now),
    }));
    const readable = rows.map((row): Row => ({ ...row, prices: row.prices.map(describePrice) }));
    const columns = { id: 'MODEL', contextWindow: 'CONTEXT', maxOutputTokens: 'OUTPUT AT MOST', lanes: 'LANES', prices: 'PRICES' };
    context.printRows(command, rows, { columns, nothing: 'No models are for sale yet.', readable });
  });
};
