import { parsePublicUrl } from './public-address.js';

/**
 * Images, files and audio as a message carries them. The gateway never fetches an address, but the server behind a lane does, and ours
 * stand on private networks. Each function answers the text to pass on, null where there is none.
 */
const schemeLengthMax = 100;
const imageData = /^data:image\/[\w.+-]{1,64};base64,/i;
const anyData = /^data:[\w.+/-]{0,80}(?:;[\w.=+-]{1,64}){0,3};base64,/i;
/** Base64 has neither colons nor backslashes. A slash it has: sounds often begin with `//uQ`. */
const hasScheme = /^\s*[a-z][a-z0-9+.-]*:|\\/i;

/** An image: `data:image/…;base64,` or an address. */
export const parseImageUrl = (text: string): string | null => (imageData.test(text.slice(0, schemeLengthMax)) ? text : parsePublicUrl(text));

/** A file's or a sound's bytes: base64 by itself, as a `data:` URL, or an address, which some vendors take in its place. */
export const parseMediaData = (text: string): string | null => {
  const beginning = text.slice(0, 4 * schemeLengthMax);
  if (anyData.test(beginning) || !hasScheme.test(beginning)) return text;
  return parsePublicUrl(text);
};
