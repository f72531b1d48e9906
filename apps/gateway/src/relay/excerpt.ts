const textLengthMax = 200;
const entriesMax = 40;
const depthMax = 3;

/** A stranger's value, small enough to be kept: its first entries, the beginnings of its texts, and nothing deeper than `depthMax`. */
export const excerptOf = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return value.slice(0, textLengthMax);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === depthMax) return '…';
  if (Array.isArray(value)) return value.slice(0, entriesMax).map((entry) => excerptOf(entry, depth + 1));
  const excerpt: [string, unknown][] = [];
  for (const name in value) {
    if (excerpt.length === entriesMax) break;
    excerpt.push([name.slice(0, textLengthMax), excerptOf((value as Record<string, unknown>)[name], depth + 1)]);
  }
  return Object.fromEntries(excerpt);
};
