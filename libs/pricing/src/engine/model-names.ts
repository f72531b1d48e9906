/** The name under which a book has a model: without regard to case, its own name or the first alias that matches; "*" for all others. */
import type { PriceBook } from '../book/price-book.js';

/** Names as requests spell them, kept with their answer. A hostile client may send any number. */
const keptNamesMax = 10_000;

const namesOf = ({ rates, discounts, accumulators, commitments, minimums, maximums, aliases }: PriceBook): Set<string> => {
  const rows = [...rates, ...discounts, ...Object.values(accumulators), ...commitments, ...minimums, ...maximums];
  const named = rows.flatMap(({ models }) => (models === '*' || models === null ? [] : models));
  return new Set([...named, ...aliases.map(({ model }) => model)].map((name) => name.toLowerCase()));
};

/** Whether a pattern, in which each * stands for any text, fits all of a name. */
const fits = (pattern: string, name: string): boolean => {
  const parts = pattern.split('*');
  const [first, last] = [parts[0]!, parts.at(-1)!];
  if (parts.length === 1) return pattern === name;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
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
