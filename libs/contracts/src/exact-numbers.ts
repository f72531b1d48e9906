import { isLosslessNumber, isSafeNumber, LosslessNumber, parse, stringify } from 'lossless-json';

/**
 * Numbers that a double does not hold (integers above 2⁵³, more than 15 digits, 1e400) go to a lane as they were written,
 * where a parameter holds free JSON: a schema may say `"const": 9007199254740993`. Everywhere else a number is a number.
 *
 * A body is accepted with its numbers as `JSON.parse` reads them. Only one that may have such numbers is read a second time,
 * by a parser that keeps their digits, and these are put in the place of what they had been read as.
 */

/** Puts the digits back into the parameters of an accepted request that hold free JSON, in place. `text` is the body that it was read from. */
export const restoreNumbersIn = <Request extends object>(request: Request, text: string, freeJsonParameters: ReadonlySet<string>): Request => {
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

/** Prints a request with such numbers. */
export const printExactly = (body: object): string => stringify(body)!;
