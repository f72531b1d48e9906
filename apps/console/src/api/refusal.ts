import i18next from 'i18next';

/** Whose codes they are: the api's, the gateway's in the playground, or names of fields that an input gets wrong. */
type RefusalKind = 'api' | 'gateway' | 'fields';

/** A refusal's values may come from what somebody typed; anything that is no text or number is left out. */
const textsOf = (values: unknown): Record<string, string | number> =>
  Object.fromEntries(Object.entries(values ?? {}).filter((entry): entry is [string, string | number] => typeof entry[1] === 'string' || typeof entry[1] === 'number'));

/**
 * A refusal in the reader's language, by its code. The server writes English, so that English needs no translation, and a code without one is told by
 * the server's own sentence.
 */
export const refusalText = (kind: RefusalKind, code: string, message: string, values?: unknown): string => {
  const key = `${kind}.${code}`;
  const translate = i18next.t as (key: string, options: object) => string;
  return i18next.exists(key, { ns: 'refusals' as 'translation' }) ? translate(key, { ns: 'refusals', ...textsOf(values) }) : message;
};
