/** Removes secrets from logs: by names of fields, and by patterns in a text. Pure. */
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

const isSecretName = (name: string): boolean => secretNames.has(name.toLowerCase());

/** Deeper than any of our events. Deeper values are omitted, which also bounds the work on a hostile object. */
const depthMax = 6;

/** Errors, dates and the like are not plain: they print themselves, and a copy would lose that. */
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
    // Copied only at the first difference, so an ordinary event costs a walk and no allocation.
    if (result === fields) result = { ...fields };
    result[name] = cleaned;
  }
  return result;
};

/** The same fields with the values of secret names redacted; the argument is not changed. */
export const withoutSecretNames = (fields: Record<string, unknown>): Record<string, unknown> => cleanFields(fields, depthMax);

/** Our keys, the keys of the usual vendors, bearer and basic credentials, passwords in addresses. */
const secretTexts = [
  /(?<=\bkt_(?:live|test)_)[A-Za-z0-9_-]{12,}/g,
  /\bsk-[A-Za-z0-9_-]{12,}/g,
  /(?<=\b(?:Bearer|Basic)\s+)[A-Za-z0-9\-._~+/=]+/gi,
  /(?<=:\/\/[^\s/:@"]*:)[^\s/@"]+(?=@)/g,
  // A field of an object that was serialized before it reached the log, its quotes escaped or not.
  /(?<="(?:authorization|cookie|x-api-key|api_?key|password|internal_?token)\\?":\s*\\?")[^"\\]+/gi,
];
/** Without a match of this cheap pattern none of the others can match, and nearly no line has one. */
const hint = /kt_|sk-|bearer|basic|:\/\/|authorization|cookie|key"|key\\"|password|token"|token\\"/i;

/** Replaces every secret in a text that the patterns recognize. */
export const withoutSecrets = (text: string): string =>
  hint.test(text) ? secretTexts.reduce((rest, pattern) => rest.replace(pattern, redacted), text) : text;
