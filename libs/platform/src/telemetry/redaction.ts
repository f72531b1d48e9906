/** What must never reach a log. Pure; by names of fields, and by the looks of a text. */
const redacted = '[redacted]';

const secretNames = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'apikey',
  'api_key',
  'x-api-key',
  'key',
  'secret',
  'password',
  'token',
  'internaltoken',
  'internal_token',
  'connectionstring',
]);

/** Names that were looked at, since the same few come with every line. A stranger's (of a header, say) may be among them: hence the bound. */
const knownNames = new Map<string, boolean>();
const knownNamesMax = 1_000;

const isSecretName = (name: string): boolean => {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const isSecret = secretNames.has(name.toLowerCase());
  if (knownNames.size < knownNamesMax) knownNames.set(name, isSecret);
  return isSecret;
};

/** Deeper than any event of ours; what lies below is left out, which also bounds the work on a hostile object. */
const depthMax = 6;

/** Errors, dates and the like are none: they know how to show themselves, and copying would lose that. */
export const isPlainObject = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

const clean = (value: unknown, depthLeft: number): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (depthLeft === 0) return '[too deep]';
  if (Array.isArray(value)) {
    const items = value.map((item) => clean(item, depthLeft - 1));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  return isPlainObject(value) ? cleanFields(value, depthLeft) : value;
};

const cleanFields = (fields: Record<string, unknown>, depthLeft: number): Record<string, unknown> => {
  let result = fields;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    const cleaned = isSecretName(name) ? redacted : clean(value, depthLeft - 1);
    if (cleaned === value) continue;
    // Copied on the first difference only: an ordinary event costs a walk and no allocation.
    if (result === fields) result = { ...fields };
    result[name] = cleaned;
  }
  return result;
};

/** The same fields without the values of those whose name says that they are secret; the argument is not changed. */
export const withoutSecretNames = (fields: Record<string, unknown>): Record<string, unknown> => cleanFields(fields, depthMax);

/** Our keys, the keys of the usual vendors, bearer and basic credentials, passwords in addresses. */
const secretTexts = [
  /(?<=\bkt_(?:live|test)_)[A-Za-z0-9_-]{12,}/g,
  /\bsk-[A-Za-z0-9_-]{12,}/g,
  /(?<=\b(?:Bearer|Basic)\s+)[A-Za-z0-9\-._~+/=]+/gi,
  /(?<=:\/\/[^\s/:@"]*:)[^\s/@"]+(?=@)/g,
  // A field of an object that was turned to text before it reached us, its quotes escaped or not.
  /(?<="(?:authorization|cookie|x-api-key|api_?key|password|internal_?token)\\?":\s*\\?")[^"\\]+/gi,
];
/** Cheap to look for, and nearly no line has any: without one of these no pattern can match. */
const hint = /kt_|sk-|bearer|basic|:\/\/|authorization|cookie|key"|key\\"|password|token"|token\\"/i;

/** A text with every secret in it that can be told by its looks replaced. */
export const withoutSecrets = (text: string): string =>
  hint.test(text) ? secretTexts.reduce((rest, pattern) => rest.replace(pattern, redacted), text) : text;
