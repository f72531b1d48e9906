/** The id of an answer, as OpenAI writes it: the request's id behind the prefix of its operation. Pure. */
import type { Operation } from './operation.js';

const prefixes: Readonly<Record<Operation, string>> = { 'chat.completions': 'chatcmpl-', completions: 'cmpl-' };
const requestIdPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const answerIdOf = (requestId: string, operation: Operation): string => `${prefixes[operation]}${requestId}`;

/** The id of a request, from itself or from the id of its answer; null where the text is neither. */
export const readRequestId = (text: string): string | null => {
  const prefix = Object.values(prefixes).find((each) => text.startsWith(each)) ?? '';
  const id = text.slice(prefix.length);
  return requestIdPattern.test(id) ? id : null;
};
