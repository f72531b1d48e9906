/** The result of a rating. Nothing is printed before all input was found right, so lines wait here: in memory, and in a temporary file once there are many. */
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, type WriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { RatedLineRow } from '@kilotoken/pricing';

const memoryCharactersMax = 4 * 1024 * 1024;
/** A table is for people. */
const tableLinesMax = 1_000;

/** Writes a text, and waits while its reader is slower. */
export type Write = (text: string) => Promise<void>;

export interface Result {
  add(line: RatedLineRow): Promise<void>;
  print(totals: Readonly<Record<string, string>>, write: Write): Promise<void>;
  dispose(): void;
}

export const createJsonResult = (): Result => {
  let waiting = '';
  let count = 0;
  let folder: string | null = null;
  let file: WriteStream | null = null;
  const spill = async (): Promise<void> => {
    folder ??= mkdtempSync(join(tmpdir(), 'kilotoken-rate-'));
    file ??= createWriteStream(join(folder, 'lines'), { mode: 0o600 });
    const text = waiting;
    waiting = '';
    if (!file.write(text)) await once(file, 'drain');
  };
  return {
    add: async (line) => {
      waiting += `${count === 0 ? '\n' : ',\n'}${JSON.stringify(line)}`;
      count += 1;
      if (waiting.length > memoryCharactersMax) await spill();
    },
    print: async (totals, write) => {
      await write('{"lines":[');
      if (file && folder) {
        file.end(waiting);
        await once(file, 'finish');
        for await (const chunk of createReadStream(join(folder, 'lines'), { encoding: 'utf8', highWaterMark: 1024 * 1024 })) await write(chunk as string);
      } else await write(waiting);
      await write(`${count === 0 ? '' : '\n'}],"total":${JSON.stringify(totals)}}\n`);
    },
    dispose: () => {
      file?.destroy();
      if (folder) rmSync(folder, { recursive: true, force: true });
    },
  };
};

const columns = ['USAGE', 'RATE', 'CLASS', 'QUANTITY', 'PRICE', 'PER', 'AMOUNT', 'CURRENCY', 'DISCOUNTS', 'PAID BY'];

export const createTableResult = (): Result => {
  const rows: string[][] = [];
  let count = 0;
  return {
    add: async (line) => {
      count += 1;
      if (count <= tableLinesMax) rows.push(cellsOf(line));
    },
    print: async (totals, write) => {
      const more = count > rows.length ? `… and ${count - rows.length} more lines (--format json has all)\n` : '';
      const total = Object.entries(totals).map(([currency, amount]) => `${amount} ${currency}`);
      await write(`${draw(rows)}\n${more}\nTotal: ${total.length === 0 ? '0' : total.join(', ')}\n`);
    },
    dispose: () => undefined,
  };
};

const cellsOf = (line: RatedLineRow): string[] => [
  line.usage_id ?? line.reason ?? '–',
  line.rate_id,
  line.class ?? '–',
  line.quantity,
  line.unit_price ?? '–',
  line.per,
  line.amount,
  line.currency,
  line.discounts.map(({ id, amount }) => `${id} ${amount}`).join(', ') || '–',
  [...line.allocations.map(({ grant, amount }) => `${grant} ${amount}`), ...(line.uncovered === undefined ? [] : [`nobody ${line.uncovered}`])].join(', ') || '–',
];

const draw = (rows: readonly string[][]): string => {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' };
  const table = new Table({ head: columns, chars: none, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] }, colAligns: columns.map((column) => (['QUANTITY', 'PRICE', 'PER', 'AMOUNT'].includes(column) ? 'right' : 'left')) });
  table.push(...rows);
  return table.toString().split('\n').map((line) => line.trimEnd()).join('\n');
};
