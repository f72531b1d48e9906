/**
 * The diagnostics of a usage row: labels of clients, ids and reasons of vendors, clocks, sizes. Pure. None of them may prevent the
 * row from being stored, so each is brought within bounds that every database accepts. `usage_storable` (prisma/functions) has the
 * same bounds.
 */

export const textLengths = { endUser: 512, tagKey: 64, tagValue: 512, upstreamId: 128, reason: 128 } as const;
const tagsMax = 16;

const int32Max = 2 ** 31 - 1;
const statusMax = 999;
/** The end of the year 9999, in milliseconds. */
const momentMsMax = 253_402_300_799_999;

const replacement = '\ufffd';

/** Text that Postgres can store: without NUL, without half a surrogate pair, cut to a length in UTF-16 units. */
export const storableText = (text: string, lengthMax: number): string => {
  const cut = text.length > lengthMax ? text.slice(0, lengthMax) : text;
  const whole = cut.isWellFormed() ? cut : cut.toWellFormed();
  return whole.includes('\0') ? whole.replaceAll('\0', replacement) : whole;
};

export const storableTextOrNull = (text: string | null, lengthMax: number): string | null => (text === null ? null : storableText(text, lengthMax));

/** A whole number within bounds; NaN, which is near neither, becomes `otherwise`. */
const within = (value: number, least: number, most: number, otherwise: number): number =>
  Number.isNaN(value) ? otherwise : Math.trunc(Math.min(most, Math.max(least, value)));

export const storableOffsetMs = (ms: number): number => within(ms, -int32Max - 1, int32Max, 0);
export const storableStatus = (status: number): number => within(status, 0, statusMax, 0);
export const storableStatusOrNull = (status: number | null): number | null => (status === null ? null : storableStatus(status));
export const storableTokens = (tokens: number): number => within(tokens, 0, Number.MAX_SAFE_INTEGER, 0);

/** Milliseconds since 1970. What is no moment becomes the one that the caller knows. */
export const storableMoment = (ms: number, otherwise: number): number => (Number.isNaN(ms) ? otherwise : Math.min(momentMsMax, Math.max(0, ms)));
export const storableMomentOrNull = (ms: number | null): number | null => (ms === null || Number.isNaN(ms) ? null : storableMoment(ms, 0));

/** A client's `metadata`. Null stays null, so that a row without tags costs nothing. */
export const storableTags = (tags: Readonly<Record<string, string>> | null): Record<string, string> | null =>
  tags && Object.fromEntries(Object.entries(tags).slice(0, tagsMax).map(([key, value]) => [storableText(key, textLengths.tagKey), storableText(value, textLengths.tagValue)]));
