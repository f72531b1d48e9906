/** The names that a list of prices gives its models, as the patterns of a price book: * is any text, # one digit. */
import { z } from 'zod';

export type MatchRule = { readonly equals: string } | { readonly starts_with: string } | { readonly ends_with: string } | { readonly contains: string } | { readonly regex: string } | { readonly or: readonly MatchRule[] };

const text = z.string().min(1).max(200);
export const matchRule: z.ZodType<MatchRule> = z.lazy(() =>
  z.union([
    z.strictObject({ equals: text }),
    z.strictObject({ starts_with: text }),
    z.strictObject({ ends_with: text }),
    z.strictObject({ contains: text }),
    z.strictObject({ regex: text }),
    z.strictObject({ or: z.array(matchRule).min(1) }),
  ]),
);

/** Null: a rule that no pattern expresses. */
export const patternsOf = (rule: MatchRule): string[] | null => {
  if ('or' in rule) {
    const patterns = rule.or.map(patternsOf);
    return patterns.some((some) => some === null) ? null : patterns.flatMap((some) => some!);
  }
  if ('regex' in rule) return patternOfRegex(rule.regex);
  const [kind, part] = Object.entries(rule)[0] as [string, string];
  // Both stand for other text in a pattern.
  if (/[*#]/.test(part)) return null;
  return [`${kind === 'contains' || kind === 'ends_with' ? '*' : ''}${part}${kind === 'contains' || kind === 'starts_with' ? '*' : ''}`];
};

const patternOfRegex = (regex: string): string[] | null => {
  const body = regex.replace(/^\^/, '').replace(/\$$/, '');
  const pattern = body.replace(/\\d\{(\d{1,2})\}/g, (_, count: string) => '#'.repeat(Number(count))).replace(/\\d/g, '#').replace(/\\([.\-/])/g, '\ue000$1');
  // A dot that was not escaped, or anything else with a meaning of its own.
  if (/(^|[^\ue000])\.|[\\^$|?*+()[\]{}]/.test(pattern)) return null;
  return [`${regex.startsWith('^') ? '' : '*'}${pattern.replaceAll('\ue000', '')}${regex.endsWith('$') ? '' : '*'}`];
};
