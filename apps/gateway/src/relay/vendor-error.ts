/**
 * Reads what a vendor says of an error, in any of the shapes that vendors use. Pure.
 *
 *   {"error":{"message","type","code","status","param"}}   OpenAI, Azure, Groq, OpenRouter; Gemini also as a list of one
 *   {"error":"text","code":"…"}                            xAI, Hugging Face
 *   {"message","type","code"}, {"object":"error",…}        Mistral, Cohere, vLLM, SGLang
 *   {"detail":"text"}, {"detail":[{"loc","msg"}]}           FastAPI, NVIDIA
 *   {"errors":[{"message"}]}                               Cloudflare
 *
 * A gateway in front of the vendor may wrap its error as text within an error: that is read too.
 */
export interface VendorError {
  /** At most `messageLengthMax` characters; null where there is none. */
  readonly message: string | null;
  /** Codes, types, statuses and reasons, without case, separators and a trailing "error" or "exception". */
  readonly codes: readonly string[];
  /** A status that the error itself names, as OpenRouter's do within an answer of status 200. */
  readonly status: number | null;
  readonly param: string | null;
}

const messageLengthMax = 2_000;
/** An error is short. Longer bodies are pages: their status says enough. */
const bodyBytesMax = 64 * 1024;
const depthMax = 8;
const itemsMax = 4;

const codeFields = ['code', 'type', 'status', 'reason', 'error_code', 'errorCode', '__type', 'title'] as const;
/** Where a wrapped or more precise error stands. */
const innerFields = ['error', 'innererror', 'errors', 'details', 'detail', 'metadata', 'raw', 'message', 'data'] as const;

type Found = { message: string | null; codes: string[]; status: number | null; param: string | null };

const normalizeCode = (code: string): string =>
  code
    .slice(0, 100)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/(error|exception)$/, '');

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Texts such as `{"error": …}`, which wrap another error. */
const unwrap = (text: string): unknown => {
  const start = text.slice(0, 200).search(/[[{]/);
  if (start < 0 || text.length > bodyBytesMax) return null;
  try {
    return JSON.parse(text.slice(start));
  } catch {
    // A text with a bracket in it.
    return null;
  }
};

const collectText = (text: string, found: Found, depth: number): void => {
  const inner = unwrap(text);
  if (isObject(inner)) collect(inner, found, depth + 1);
  // The innermost text is the most precise one: a wrapper says "Provider returned error".
  else if (text.trim() !== '') found.message = text.slice(0, messageLengthMax);
};

const collectCode = (value: unknown, found: Found): void => {
  if (typeof value === 'string' && value !== '') {
    if (/^[45]\d\d$/.test(value)) found.status ??= Number(value);
    else found.codes.push(normalizeCode(value));
  } else if (typeof value === 'number' && value >= 400 && value <= 599) found.status ??= value;
};

const collect = (value: unknown, found: Found, depth: number): void => {
  if (depth > depthMax) return;
  if (typeof value === 'string') return collectText(value, found, depth);
  if (Array.isArray(value)) {
    for (const item of value.slice(0, itemsMax)) collect(item, found, depth + 1);
    return;
  }
  if (!isObject(value)) return;
  for (const field of codeFields) collectCode(value[field], found);
  if (typeof value['param'] === 'string') found.param ??= value['param'];
  if (typeof value['msg'] === 'string') found.message ??= [Array.isArray(value['loc']) ? value['loc'].join('.') : null, value['msg']].filter(Boolean).join(': ').slice(0, messageLengthMax);
  // A message stands before what wraps it: it is read first, and more precise ones replace it.
  if (typeof value['message'] === 'string') collectText(value['message'], found, depth);
  for (const field of innerFields) {
    if (field === 'message' && typeof value[field] === 'string') continue;
    // Beside a message a text of `error` or `detail` is its name ("Bad Request") or a trace.
    if (typeof value[field] === 'string' && found.message !== null && field !== 'raw') continue;
    collect(value[field], found, depth + 1);
  }
};

/** Reads an error object, or the whole of a body that holds one. */
export const readVendorError = (error: unknown): VendorError => {
  const found: Found = { message: null, codes: [], status: null, param: null };
  collect(error, found, 0);
  return found;
};

/** Reads the body of an answer that is an error. A page instead of JSON says nothing. */
export const readErrorBody = (body: Buffer): VendorError => {
  if (body.length > bodyBytesMax) return readVendorError(null);
  const text = body.toString('utf8').trim();
  try {
    return readVendorError(JSON.parse(text));
  } catch {
    // Plain text, such as "Unauthorized" or "upstream connect error", is a message. Markup is a page.
    return readVendorError(text.startsWith('<') ? null : text);
  }
};
