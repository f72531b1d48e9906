import { type Fields, isFields } from '@kilotoken/contracts';

/**
 * Which of a vendor's fields a client gets. At the top of a body or chunk only known names leave: there resellers put who
 * served the answer and what it cost us. Within choices everything leaves but what speaks of money or of who served it,
 * since vendors invent fields of messages (`reasoning_details`, `extra_content`) that must come back in the next turn.
 */
const publicFields: ReadonlySet<string> = new Set([
  'id', 'object', 'created', 'model', 'choices', 'service_tier', 'system_fingerprint',
  // Sources of a search, Azure's content filter, and what vLLM answers where it was asked for it.
  'citations', 'search_results', 'prompt_filter_results', 'prompt_logprobs', 'prompt_token_ids',
]);

/** Whether a field at the top of an answer leaves as the vendor sent it. `usage` is ours and never does. */
export const isPublicField = (name: string): boolean => publicFields.has(name);

/** Prices, costs, accounts, who served it, and the text of its errors, whatever a vendor calls them. */
const privateName = /cost|price|pricing|byok|billing|billed|invoice|credit|balance|markup|upstream|hidden_params|^_|^provider(_name|_id|_metadata)?$|^usage|^error$/i;

type Kind = 'public' | 'private' | 'inner';

/**
 * The kinds of choices' fields by name, nearly always the same few. `inner`: an object whose fields are filtered too; deeper ones
 * are the answer's own (logprobs, arguments of calls). The bound protects against a vendor that invents names.
 */
const kinds = new Map<string, Kind>(['delta', 'message', 'metadata', 'provider_specific_fields'].map((name) => [name, 'inner']));
const kindsMax = 1_000;

const kindOf = (name: string): Kind => {
  const known = kinds.get(name);
  if (known !== undefined) return known;
  const kind = privateName.test(name) ? 'private' : 'public';
  if (kinds.size < kindsMax) kinds.set(name, kind);
  return kind;
};

const fieldsHavePrivate = (fields: Fields): boolean => {
  for (const name in fields) {
    const kind = kindOf(name);
    if (kind === 'private') return true;
    if (kind === 'public') continue;
    const value = fields[name];
    if (isFields(value) && fieldsHavePrivate(value)) return true;
  }
  return false;
};

/** Whether choices carry what must not leave. Cheap, so that a chunk that has none can leave as its own text. */
export const hasPrivateFields = (choices: unknown): boolean => {
  if (!Array.isArray(choices)) return false;
  for (const choice of choices as unknown[]) if (isFields(choice) && fieldsHavePrivate(choice)) return true;
  return false;
};

const withoutPrivate = (fields: Fields): Fields => {
  const left: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    const kind = kindOf(name);
    if (kind === 'private') continue;
    left[name] = kind === 'inner' && isFields(value) ? withoutPrivate(value) : value;
  }
  return left;
};

/** An answer or chunk without what is the vendor's own: its fields in their order, and neither `usage` nor errors. */
export const publicAnswer = (answer: Fields): Fields => {
  const left: Fields = {};
  for (const name in answer) if (isPublicField(name)) left[name] = answer[name];
  const { choices } = left;
  if (hasPrivateFields(choices)) left['choices'] = (choices as unknown[]).map((choice) => (isFields(choice) ? withoutPrivate(choice) : choice));
  return left;
};

/** A whole body as its text: the vendor's public fields under our id and model, and the usage as text, which JSON.stringify could not print exactly. */
export const answerText = (answer: Fields, own: Fields, usage: string): string => {
  const text = JSON.stringify(Object.assign(publicAnswer(answer), own));
  return `${text.slice(0, -1)},"usage":${usage}}`;
};
