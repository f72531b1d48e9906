import type { IncomingMessage } from 'node:http';
import type { BytesMeter, BytesOwner, BytesShortage } from '../bounds/bytes-meter.js';
import type { Deadlines } from '../bounds/deadlines.js';
import { Refusal } from '../request/refusal.js';
import { loopBytesMax } from './body-work.js';

/** A body as it came. Its bytes are in the meter until `release` is called, once; who got it has to. */
export interface ReceivedBody {
  /** Over a SharedArrayBuffer where it is longer than `loopBytesMax`. */
  readonly bytes: Uint8Array;
  release(): void;
}

export interface ReceivingSettings {
  readonly bodyBytesMax: number;
  /** A body that is not complete has to grow by `slowBytesMin` in each such time. */
  readonly stallMsMax: number;
}

export interface Receiving extends ReceivingSettings {
  readonly meter: BytesMeter;
  readonly deadlines: Deadlines;
}

/** Twice the rate of a slow modem. What is slower keeps bytes from others in vain. */
const slowBytesMin = 16 * 1024;
/** Bytes that a piece has on average, once there are many: a body of chunks of one byte would cost a call for each. */
const pieceBytesMin = 64;
const piecesUnlooked = 1_024;

const shortages: Readonly<Record<BytesShortage, () => Refusal>> = {
  key: () => new Refusal('rate_limit_exceeded', 'The bodies of the running requests of this API key are too large together. Wait for some requests to end.'),
  organization: () => new Refusal('rate_limit_exceeded', 'The bodies of the running requests of your organization are too large together. Wait for some requests to end.'),
  all: () => new Refusal('service_unavailable', 'This gateway has no memory left for the body of your request. Try again shortly.'),
};

const tooLarge = (limit: number): Refusal => new Refusal('body_too_large', `The body of your request is larger than ${limit} bytes.`);

/** Room for the bytes of one body, each reserved before it is kept. Throws a Refusal where there is none. */
interface Room {
  readonly length: number;
  add(piece: Uint8Array): void;
  finish(): Uint8Array;
}

type Reserve = (bytes: number) => void;

/** Shared memory is not touched before it is written, so what was only announced takes none. */
const allocate = (size: number): Uint8Array => (size > loopBytesMax ? new Uint8Array(new SharedArrayBuffer(size)) : Buffer.allocUnsafe(size));

/** Node ends a request whose body is longer or shorter than announced. */
const announcedRoom = (size: number, reserve: Reserve): Room => {
  reserve(size);
  const bytes = allocate(size);
  let length = 0;
  return {
    get length() {
      return length;
    },
    add: (piece) => {
      bytes.set(piece, length);
      length += piece.length;
    },
    finish: () => bytes,
  };
};

const blockBytes = 64 * 1024;

/** Block by block, since a buffer that grew by doubling would leave its smaller selves behind. */
const growingRoom = (bytesMax: number, reserve: Reserve): Room => {
  const blocks: Buffer[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    add: (piece) => {
      if (length + piece.length > bytesMax) throw tooLarge(bytesMax);
      for (let taken = 0; taken < piece.length; ) {
        const at = length % blockBytes;
        if (at === 0) {
          reserve(blockBytes);
          blocks.push(Buffer.allocUnsafeSlow(blockBytes));
        }
        const part = piece.subarray(taken, taken + blockBytes - at);
        blocks.at(-1)!.set(part, at);
        taken += part.length;
        length += part.length;
      }
    },
    finish: () => {
      const bytes = allocate(length);
      blocks.forEach((block, index) => bytes.set(block.subarray(0, length - index * blockBytes), index * blockBytes));
      return bytes;
    },
  };
};

/**
 * Collects a body, each byte admitted before it is kept: all of it at once where its length is announced. Calls `done` once,
 * with a Refusal where it is too large, too slow or finds no room; the rest of it is not kept then.
 */
export const receiveBody = (
  { meter, deadlines, bodyBytesMax, stallMsMax }: Receiving,
  owner: BytesOwner,
  request: IncomingMessage,
  done: (error: Error | null, body?: ReceivedBody) => void,
): void => {
  const announced = request.headers['content-length'] === undefined ? null : Number(request.headers['content-length']);
  if (announced !== null && announced > bodyBytesMax) return done(tooLarge(bodyBytesMax));
  let reserved = 0;
  const release = (): void => {
    meter.release(owner, reserved);
    reserved = 0;
  };
  const reserve = (bytes: number): void => {
    const shortage = meter.reserve(owner, bytes);
    if (shortage !== null) throw shortages[shortage]();
    reserved += bytes;
  };
  let room: Room;
  try {
    room = announced === null ? growingRoom(bodyBytesMax, reserve) : announcedRoom(announced, reserve);
  } catch (error) {
    return done(error as Error);
  }
  let pieces = 0;
  let lengthAtLook = 0;
  let callOff = (): void => undefined;

  const stop = (): void => {
    callOff();
    request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
  };
  const refuse = (error: Error): void => {
    stop();
    release();
    done(error);
  };
  const onData = (piece: Buffer): void => {
    pieces += 1;
    if (pieces > piecesUnlooked && room.length < pieces * pieceBytesMin) return refuse(new Refusal('body_too_complex', 'The body of your request arrived in too many small pieces.'));
    try {
      room.add(piece);
    } catch (error) {
      refuse(error as Error);
    }
  };
  const onEnd = (): void => {
    stop();
    done(null, { bytes: room.finish(), release });
  };
  const onError = (error: Error): void => refuse(error);
  const onClose = (): void => refuse(new Refusal('request_timeout', 'The client closed the connection.'));
  const look = (): void => {
    if (room.length - lengthAtLook < slowBytesMin) return refuse(new Refusal('request_timeout', `The body of your request arrived too slowly: less than ${slowBytesMin} bytes in ${stallMsMax} ms.`));
    lengthAtLook = room.length;
    callOff = deadlines.add(stallMsMax, look);
  };
  callOff = deadlines.add(stallMsMax, look);
  request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
};
