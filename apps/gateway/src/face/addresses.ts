/**
 * The refusal at addresses that do not exist. Most clients that get it have the right server and a base URL that lacks `/v1`, has
 * it twice, or is another product's. Pure.
 */
const offered = ['POST /v1/chat/completions', 'POST /v1/completions', 'GET /v1/models', 'GET /v1/credits', 'GET /v1/generations/{id}'] as const;

/** Parts of OpenAI's and Anthropic's APIs that we do not sell. */
const notOffered: ReadonlySet<string> = new Set(
  'responses embeddings messages moderations audio images videos files uploads batches assistants threads runs fine_tuning fine-tunes vector_stores realtime rerank edits conversations evals containers'.split(' '),
);
/** Chat completions can replace these. */
const servedByChat: ReadonlySet<string> = new Set(['responses', 'messages', 'assistants', 'threads']);

const pathShownMax = 200;
const segmentsMax = 20;

const segmentsOf = (path: string): string[] =>
  path
    .toLowerCase()
    .split('/', segmentsMax * 2)
    .filter((segment) => segment !== '')
    .slice(-segmentsMax);

/** Our address that the client most likely meant, or null. */
const meantBy = (segments: readonly string[]): string | null => {
  const last = segments.at(-1) ?? '';
  const before = segments.at(-2) ?? '';
  if (/^completions?$/.test(last)) return before === 'chat' || before === 'completions' ? 'POST /v1/chat/completions' : 'POST /v1/completions';
  if (last === 'chat') return 'POST /v1/chat/completions';
  if (/^models?$/.test(last)) return 'GET /v1/models';
  if (/^models?$/.test(before)) return 'GET /v1/models/{id}';
  if (last === 'credits') return 'GET /v1/credits';
  return /^generations?$/.test(last) || /^generations?$/.test(before) ? 'GET /v1/generations/{id}' : null;
};

export interface Asked {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** The host by the client's own header; null if it sent none. */
  readonly host: string | null;
  readonly isSecure: boolean;
}

const hostPattern = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

export const baseUrlOf = ({ host, isSecure }: Pick<Asked, 'host' | 'isSecure'>): string =>
  host !== null && hostPattern.test(host) ? `${isSecure ? 'https' : 'http'}://${host}/v1` : '…/v1';

export const describeMissingAddress = (asked: Asked): string => {
  const segments = segmentsOf(asked.path);
  const shown = `${asked.method} ${asked.path.slice(0, pathShownMax)}`;
  const base = `The base URL of this API is ${baseUrlOf(asked)}; SDKs add the rest.`;
  const missing = segments.find((segment) => notOffered.has(segment));
  if (missing !== undefined) {
    const instead = servedByChat.has(missing) ? ' Use POST /v1/chat/completions: most clients have a setting for it.' : '';
    return `${shown} is not offered (yet).${instead} This API offers ${offered.join(', ')}. ${base}`;
  }
  const meant = meantBy(segments);
  return meant === null ? `There is nothing at ${shown}. This API offers ${offered.join(', ')}. ${base}` : `There is nothing at ${shown}. Did you mean ${meant}? ${base}`;
};
