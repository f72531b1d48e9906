/** The bytes that a string takes as UTF-8. Two UTF-16 units of a pair take four together; a lone one becomes U+FFFD, three. */
export const utf8Length = (text: string): number => {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdbff || !isLowSurrogate(text.charCodeAt(index + 1))) bytes += 2;
    else {
      bytes += 2;
      index++;
    }
  }
  return bytes;
};

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

const notAscii = /[^\x00-\x7f]/; // eslint-disable-line no-control-regex

export const isAscii = (text: string): boolean => !notAscii.test(text);
