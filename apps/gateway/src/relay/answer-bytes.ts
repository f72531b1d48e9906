import type { BytesMeter, BytesOwner } from '../bounds/bytes-meter.js';

/** Answers up to this are not metered: their number is bounded by the requests that run. */
const unmeteredMax = 64 * 1024;

/** The bytes of one large answer, from their arrival until its client has taken them. */
export interface AnswerBytes {
  /** Reserves room for so many bytes in all; false where there is none. */
  grow(bytes: number): boolean;
  /** Whether any are reserved. */
  isReserved(): boolean;
  release(): void;
}

export const createAnswerBytes = (meter: BytesMeter, owner: BytesOwner): AnswerBytes => {
  let reserved = 0;
  return {
    grow: (bytes) => {
      if (bytes <= unmeteredMax) return true;
      if (meter.reserve(owner, bytes - reserved) !== null) return false;
      reserved = bytes;
      return true;
    },
    isReserved: () => reserved > 0,
    release: () => {
      if (reserved > 0) meter.release(owner, reserved);
      reserved = 0;
    },
  };
};
