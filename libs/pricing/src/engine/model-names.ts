/** The name under which a book has a model: without regard to case, its own name or the first alias that matches; "*" for all others. */
import type { PriceBook } from '../book/price-book.js';

/** Names as requests spell them, kept with their answer. A hostile client may send any number. */
const keptNamesMax = 10_000;

const namesOf = ({ rates, discounts, accumulators, commitments, minimums, maximums, aliases }: PriceBook): Set<string> => {
  const rows = [...rates, ...discounts, ...Object.values(accumulators), ...commitments, ...minimums, ...maximums];
  const named = rows.flatMap(({ models }) => (models === '*' || models === null ? [] : models));
  return new Set([...named, ...aliases.map(({ model }) => model)].map((name) => name.toLowerCase()));
};

const isDigit = (character: string | undefined): boolean => character !== undefined && character >= '0' && character <= '9';

/** Whether part of a pattern, in which # is any digit, stands in a name at a place. */
const standsAt = (part: string, name: string, at: number): boolean => {
  if (at < 0 || at + part.length > name.length) return false;
  if (!part.includes('#')) return name.startsWith(part, at);
  for (let index = 0; index < part.length; index += 1) if (part[index] === '#' ? !isDigit(name[at + index]) : part[index] !== name[at + index]) return false;
  return true;
};

/** Whether a pattern, in which each * stands for any text and each # for a digit, fits all of a name. */
const fits = (pattern: string, name: string): boolean => {
  const parts = pattern.split('*');
  const [first, last] = [parts[0]!, parts.at(-1)!];
  if (parts.length === 1) return pattern.length === name.length && standsAt(pattern, name, 0);
  const end = name.length - last.length;
  if (end < first.length || !standsAt(first, name, 0) || !standsAt(last, name, end)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    while (at + part.length <= end && !standsAt(part, name, at)) at += 1;
    if (at + part.length > end) return false;
    at += part.length;
  }
  return true;
};

export const createNameResolver = (book: PriceBook): ((model: string) => string) => {
  const known = namesOf(book);
  const aliases = book.aliases.flatMap(({ model, match }) => match.map((pattern) => ({ name: model.toLowerCase(), pattern: pattern.toLowerCase() })));
  const kept = new Map<string, string>();
  const resolve = (model: string): string => {
    const name = model.toLowerCase();
    return known.has(name) ? name : (aliases.find(({ pattern }) => fits(pattern, name))?.name ?? '*');
  };
  return (model) => {
    let name = kept.get(model);
    if (name === undefined) {
      name = resolve(model);
      if (kept.size >= keptNamesMax) kept.clear();
      kept.set(model, name);
    }
    return name;
  };
};
