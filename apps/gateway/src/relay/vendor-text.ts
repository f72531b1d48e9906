import { withoutSecrets } from '@kilotoken/platform';

/** Filters a vendor's text for customers and for operators. Pure. */
const customerLengthMax = 300;
const operatorLengthMax = 500;

// eslint-disable-next-line no-control-regex -- control characters are what must not pass
const inOneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');

/** Quoted parts of an error, such as a name or text of the customer, do not tell whose problem it is. */
export const withoutQuotes = (text: string): string => text.replace(/"[^"]*"|`[^`]*`|(?<=^|[\s([:=])'[^']*'(?=$|[\s)\].,:;])/g, ' ');

/** Keys by their looks, whole or masked by the vendor: `sk-proj-12…`, `AIza…`, `gsk_…`, `sk-ab****yz`. */
const keys = /\b(?:sk|rk|gsk|xai|fw|csk|hf|nvapi|tgp)[-_][\w.*…-]{6,}|\b(?:AIza|AKIA|ASIA|ya29\.|eyJ)[\w.-]{8,}|[\w-]*\*{3,}[\w-]*/g;
/** Long runs of letters and digits mixed, as in keys and ids. */
const longRuns = /\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}\b/g;

/** An operator's text has no key in it; `secrets` are those that we know. */
export const operatorText = (text: string, secrets: readonly string[] = []): string => {
  let safe = inOneLine(text);
  for (const secret of secrets) if (secret.length >= 4) safe = safe.replaceAll(secret, '[redacted]');
  return withoutSecrets(safe).replace(keys, '[redacted]').slice(0, operatorLengthMax);
};

const address = /https?:|www\.|\b[\w.+-]+@[\w-]+\.\w/i;
/** A sentence with one of these is about the vendor or our account with it, not about the request. */
const notTheirs =
  /\b(?:api.?key|billing|credits?|your (?:account|plan|tier|organi[sz]ation|subscription|team|workspace)|contact (?:us|support)|support team|request.?id|trace.?id|upgrade|documentation|read our|docs)\b/i;

const replacements: readonly [RegExp, string][] = [
  [keys, '[redacted]'],
  [/\b(?:org|proj|project|user|acct|acc|req|ws|wrkspc|team|asst|resp)[-_][A-Za-z0-9]{6,}\b/g, '[id]'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '[id]'],
  [/\b(?:accounts|projects|organizations|subscriptions|resourceGroups|locations)\/[\w.-]+(?:\/[\w.-]+)*/g, '[id]'],
  [/\barn:aws[\w:/.-]+/g, '[id]'],
  [longRuns, '[id]'],
  [/(?<![\w.])\/(?:usr|home|opt|app|root|var|srv|workspace|mnt|data)\/[\w./-]+/g, '[path]'],
  [/\b(?:[a-z0-9-]+\.)+(?:com|net|org|ai|io|dev|cloud|internal|local|xyz)\b/gi, '[host]'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, '[host]'],
  [/\b(?:Azure OpenAI|Azure AI|OpenAI|OpenRouter|Anthropic|Google Vertex|Vertex AI|Amazon Bedrock|Bedrock|Together AI|Fireworks(?: AI)?|DeepInfra|Groq|Mistral AI|Cerebras|SambaNova|litellm\.\w+:?)(?:['’]s)?(?=\W|$)/g, 'the model'],
];

/**
 * A vendor's text about the request, for the customer: without accounts, addresses, ids and keys, and without sentences about
 * them. Null if nothing remains. `hidden` lists our names for the lane, such as the vendor's name for the model.
 */
export const customerText = (text: string, hidden: readonly string[] = []): string | null => {
  let safe = inOneLine(text)
    .split(/(?<=[.!?])\s+/)
    .filter((sentence) => !address.test(sentence) && !notTheirs.test(withoutQuotes(sentence)))
    .join(' ');
  for (const name of hidden) if (name.length >= 3) safe = safe.replaceAll(name, 'the model');
  for (const [pattern, replacement] of replacements) safe = safe.replace(pattern, replacement);
  safe = safe.trim().slice(0, customerLengthMax);
  return safe === '' ? null : safe;
};

/** A customer may be told which of its parameters was wrong, where it is one. */
export const customerParam = (param: string | null): string | null => (param !== null && /^[A-Za-z_][\w.[\]-]{0,99}$/.test(param) ? param : null);
