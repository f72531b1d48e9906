const empty = new Uint8Array(0);

/**
 * A `TextDecoder` that streams takes ten times as long as one that is given whole characters: so an unfinished character,
 * three bytes at most, waits here for the next chunk. Bytes that are no UTF-8 become U+FFFD, as the standard says.
 */
export const createUtf8Decoder = () => {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let held: Uint8Array = empty;

  return {
    push: (chunk: Uint8Array): string => {
      const bytes = held.length === 0 ? chunk : joined(held, chunk);
      const whole = bytes.length - unfinishedBytes(bytes);
      // A copy: the caller may use its buffer again.
      held = whole === bytes.length ? empty : bytes.slice(whole);
      return decoder.decode(whole === bytes.length ? bytes : bytes.subarray(0, whole));
    },
    end: (): string => {
      const rest = held;
      held = empty;
      return decoder.decode(rest);
    },
  };
};

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
};

/** The length of a character that began at the end of the bytes and needs more of them. */
const unfinishedBytes = (bytes: Uint8Array): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
};
