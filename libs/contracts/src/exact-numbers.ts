import { isLosslessNumber, isSafeNumber, LosslessNumber, parse, stringify } from 'lossless-json';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { CompletionRequest } from './completion.js';

/**
 * Numbers that a double does not hold (integers above 2⁵³, more than 15 digits, 1e400) go to a lane as they were written,
 * where a parameter holds free JSON: a schema may say `"const": 9007199254740993`. Everywhere else a number is a number.
 *
 * A body is accepted with its numbers as `JSON.parse` reads them. Only one that may have such numbers is read a second time,
 * by a parser that keeps their digits, and these are put in the place of what they had been read as.
 */
type AnyRequest = ChatCompletionRequest | CompletionRequest;

/** Parameters with free JSON in them; no number of theirs is looked at by the gateway. */
const freeJsonParameters: ReadonlySet<string> = new Set(['tools', 'functions', 'response_format', 'messages', 'guided_json', 'structured_outputs', 'chat_template_kwargs', 'mm_processor_kwargs']);

/** Puts the digits back into an accepted request, in place. `text` is the body that it was read from. */
export const restoreNumbers = <Request extends AnyRequest>(request: Request, text: string): Request => {
  const written = parse(text, null, { parseNumber: (digits) => (isSafeNumber(digits) ? Number(digits) : new LosslessNumber(digits)) });
  for (const name in request) if (freeJsonParameters.has(name)) restore(request, written, name);
  return request;
};

/** Where the accepted value and the written one have the same place and are the same number. */
const restore = (accepted: object, written: unknown, key: string): void => {
  const value = (accepted as Record<string, unknown>)[key];
  if (typeof written !== 'object' || written === null || isLosslessNumber(written)) return;
  const exact = (written as Record<string, unknown>)[key];
  if (typeof value === 'number') {
    if (isLosslessNumber(exact) && Object.is(Number(exact.value), value)) (accepted as Record<string, unknown>)[key] = exact;
  } else if (typeof value === 'object' && value !== null) {
    for (const inner in value) restore(value, exact, inner);
  }
};

/** Prints what `restoreNumbers` made. */
export const printExactly = (body: object): string => stringify(body)!;
