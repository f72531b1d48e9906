import { parseArgs } from 'node:util';
import { customersMax } from './customers.js';

export interface DemoOptions {
  /** Sets the database that is there aside. */
  readonly fresh: boolean;
  readonly seed: number;
  readonly days: number;
  readonly organizations: number;
  readonly requests: number;
}

/** A mistake on the command line, in words. */
export class DemoOptionsError extends Error {
  override readonly name = 'DemoOptionsError';
}

/** `max`: so many partitions, rows and seconds are what a demo is for. */
const numbers = {
  seed: { fallback: 2026, min: 0, max: 4_294_967_295 },
  days: { fallback: 90, min: 1, max: 120 },
  organizations: { fallback: customersMax, min: 1, max: customersMax },
  requests: { fallback: 108_000, min: 1, max: 2_000_000 },
} as const;
type NumberOption = keyof typeof numbers;
const numberOptions = Object.keys(numbers) as NumberOption[];

/** Throws a DemoOptionsError. */
export const readDemoOptions = (words: readonly string[]): DemoOptions => {
  const { values } = parse(words);
  const read = (name: NumberOption): number => {
    const { fallback, min, max } = numbers[name];
    const text = values[name];
    if (text === undefined) return fallback;
    const number = Number(text);
    if (!/^\d{1,10}$/.test(String(text)) || number < min || number > max) throw new DemoOptionsError(`--${name}: a whole number from ${min} to ${max} is needed.`);
    return number;
  };
  return { fresh: values['fresh'] === true, seed: read('seed'), days: read('days'), organizations: read('organizations'), requests: read('requests') };
};

const parse = (words: readonly string[]) => {
  try {
    return parseArgs({ args: [...words], options: { fresh: { type: 'boolean' }, ...(Object.fromEntries(numberOptions.map((name) => [name, { type: 'string' }])) as Record<NumberOption, { type: 'string' }>) } });
  } catch (error) {
    throw new DemoOptionsError(`${(error as Error).message.split('. ')[0]}. All options: npm run demo -- --help`);
  }
};
