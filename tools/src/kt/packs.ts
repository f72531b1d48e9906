import type { Command } from 'commander';
import { tokenClasses } from '@kilotoken/contracts';
import { formatMoney, roundingModes } from '@kilotoken/money';
import { AppError, changeAs } from '@kilotoken/platform';
import { declarePackUnit, listBurnTables, publishBurnTable, type BurnTableView, type NewBurnTable, type NewPackUnit } from '@kilotoken/pricing';
import { parseMoment, parseWhole } from './arguments.js';
import { addCommand, iso, type Context } from './context.js';
import type { Row } from './output.js';

const weightsText = (weights: Readonly<Record<string, string | null>>): string => Object.entries(weights).map(([name, weight]) => `${name}=${weight ?? 'none'}`).join(' ');

const tableRow = ({ id, unit, modelId, effectiveAt, weights, per }: BurnTableView): Row => ({ unit, model: modelId, weights: weightsText(weights), per: Number(per), effectiveAt: iso(effectiveAt), id });

/** Reads `input=1,output=4,audio_in=none`. */
const parseWeights = (text: string): NewBurnTable['weights'] =>
  Object.fromEntries(
    text.split(',').map((part) => {
      const [name = '', weight, ...more] = part.trim().split('=');
      if (!(tokenClasses as readonly string[]).includes(name) || weight === undefined || more.length > 0) {
        const publicMessage = `--weights: "${part}" is not a weight; write input=1,output=4,audio_in=none, with classes among ${tokenClasses.join(', ')}`;
        throw new AppError({ code: 'argument_invalid', kind: 'invalid', publicMessage });
      }
      return [name, weight === 'none' ? null : weight];
    }),
  );

export const addPackCommands = (packs: Command, context: Context): void => {
  addCommand(packs, 'declare <unit>', 'declare a pack unit; its decimals and rounding can never change', async (command) => {
    const options = command.opts<{ decimals: string; rounding: string }>();
    const [unit] = command.processedArgs as [string];
    // The library refuses an unknown rounding.
    const wanted: NewPackUnit = { unit, decimals: parseWhole('--decimals', options.decimals), rounding: options.rounding as NewPackUnit['rounding'] };
    context.printRow(command, { ...(await changeAs(await context.prisma(), null, (db) => declarePackUnit(db, wanted))) });
  })
    .option('--decimals <count>', 'decimals of a charge line, 0 to 12', '12')
    .option('--rounding <mode>', roundingModes.join(', '), 'half_even');

  addCommand(packs, 'burn <unit>', 'publish a burn table: how many units a token of each class burns', async (command) => {
    const options = command.opts<{ weights: string; model?: string; per: string; effective?: string }>();
    const [unit] = command.processedArgs as [string];
    const effectiveAt = options.effective === undefined ? null : parseMoment('--effective', options.effective, await context.now());
    const wanted: NewBurnTable = { unit, modelId: options.model ?? null, weights: parseWeights(options.weights), per: BigInt(parseWhole('--per', options.per)), effectiveAt };
    context.printRow(command, tableRow(await changeAs(await context.prisma(), null, (db) => publishBurnTable(db, wanted))));
  })
    .requiredOption('--weights <list>', 'such as input=1,output=4,cached_read=0.1; `none` leaves a class to other grants; an omitted class burns as its parent')
    .option('--model <id>', 'for one model (default: for every model without its own table)')
    .option('--per <tokens>', 'the number of tokens that the weights are for', '1')
    .option('--effective <when>', 'start: a moment, a day or a span (default: as soon as every gateway knows the table)');

  addCommand(packs, 'list', 'show current and future burn tables', async (command) => {
    const tables = await listBurnTables(context.pool, 0);
    const rows = tables.map(({ id, unit, modelId, effectiveAtMs, rates }) =>
      tableRow({ id, unit, modelId, effectiveAt: new Date(effectiveAtMs), weights: Object.fromEntries([...rates].map(([name, { amount }]) => [name, amount === null ? null : formatMoney(amount)])), per: [...rates.values()][0]!.per }),
    );
    const columns = { unit: 'UNIT', model: 'MODEL', weights: 'WEIGHTS', per: 'PER', effectiveAt: 'FROM', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'There are no burn tables yet.' });
  });
};
