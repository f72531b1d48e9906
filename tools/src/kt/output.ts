import Table from 'cli-table3';

/** A command writes its result to `out`, and problems and remarks for people to `error`. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

/** A value of a row. JSON must hold it exactly, so amounts are strings. */
export type Value = string | number | boolean | null | readonly string[] | { readonly [key: string]: Value } | readonly { readonly [key: string]: Value }[];
export type Row = { readonly [key: string]: Value };

export const printJson = (output: Output, value: Row | readonly Row[]): void => output.out(`${JSON.stringify(value, null, 2)}\n`);

/** Prints one line per row; `columns` maps field to title. */
export const printTable = (output: Output, rows: readonly Row[], columns: Readonly<Record<string, string>>, nothing: string): void => {
  if (rows.length === 0) return output.error(`${nothing}\n`);
  const names = Object.keys(columns);
  const table = new Table({ head: Object.values(columns), colAligns: names.map((name) => (isAmount(rows, name) ? 'right' : 'left')), ...plain });
  table.push(...rows.map((row) => names.map((name) => describe(row[name] ?? null))));
  output.out(`${trimLines(table.toString())}\n`);
};

/** Prints one row, one line per field. */
export const printFields = (output: Output, row: Row): void => {
  const table = new Table(plain);
  table.push(...Object.entries(row).map(([name, value]) => [name, describe(value)]));
  output.out(`${trimLines(table.toString())}\n`);
};

/** Two spaces separate columns and there are no borders, so that lines can be copied and cut. */
const plain: Table.TableConstructorOptions = {
  chars: {
    top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
    left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
  },
  style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
};

const trimLines = (text: string): string => text.split('\n').map((line) => line.trimEnd()).join('\n');

const isAmount = (rows: readonly Row[], name: string): boolean => rows.every((row) => /^-?\d+(\.\d+)?$/.test(String(row[name] ?? '')));

const describe = (value: Value): string => {
  if (value === null) return '–';
  if (Array.isArray(value)) return value.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join(', ');
  if (typeof value === 'object') return Object.entries(value).map(([key, item]) => `${key} ${describe(item as Value)}`).join(', ');
  return String(value);
};
