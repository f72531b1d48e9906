import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusal.js';
import type { Deadlines } from '../relay/deadlines.js';
import { loopBytesMax } from './body-work.js';
import type { BytesMeter, BytesOwner, BytesShortage } from './bytes-meter.js';

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

/** Four times the rate of a slow modem. What is slower keeps bytes for others in vain. */
const slowBytesMin = 16 * 1024;
/** A body without Content-Length begins with this much room, and doubles it. */
const firstRoomBytes = 16 * 1024;
/** Bytes that a piece has on average, once there are many: a body of chunks of one byte would cost a call for each. */
const pieceBytesMin = 64;
const piecesUnlooked = 1_024;

const shortages: Readonly<Record<BytesShortage, () => Refusal>> = {
  key: () => new Refusal('rate_limit_exceeded', 'The bodies of the requests that this API key has under way are too large together. Wait for some of them to end.'),
  organization: () => new Refusal('rate_limit_exceeded', 'The bodies of the requests that your organization has under way are too large together. Wait for some of them to end.'),
  all: () => new Refusal('service_unavailable', 'This gateway has no memory left for your body. Try again shortly.'),
};

const tooLarge = (limit: number): Refusal => new Refusal('body_too_large', `The body of your request is larger than ${limit} bytes.`);

/** The bytes of one body, each reserved before it is kept. */
class Room {
  private bytes: Uint8Array;
  private reserved = 0;
  length = 0;

  constructor(
    private readonly meter: BytesMeter,
    private readonly owner: BytesOwner,
    private readonly bytesMax: number,
    size: number,
  ) {
    this.reserve(size);
    this.bytes = allocate(size);
  }

  /** Throws a Refusal, and keeps nothing of the piece then. */
  add(piece: Uint8Array): void {
    const end = this.length + piece.length;
    if (end > this.bytesMax) throw tooLarge(this.bytesMax);
    if (end > this.bytes.length) this.grow(end);
    this.bytes.set(piece, this.length);
    this.length = end;
  }

  /** The body, in no more memory than it needs. */
  finish(): Uint8Array {
    if (this.length === this.bytes.length) return this.bytes;
    return this.length > loopBytesMax ? copy(this.bytes, this.length, this.length) : this.bytes.subarray(0, this.length);
  }

  release(): void {
    this.meter.release(this.owner, this.reserved);
    this.reserved = 0;
  }

  private grow(needed: number): void {
    const size = Math.min(Math.max(needed, this.bytes.length * 2), this.bytesMax);
    this.reserve(size - this.bytes.length);
    this.bytes = copy(this.bytes, this.length, size);
  }

  private reserve(bytes: number): void {
    const shortage = this.meter.reserve(this.owner, bytes);
    if (shortage !== null) throw shortages[shortage]();
    this.reserved += bytes;
  }
}

/** Shared memory is not touched before it is written, so what was only announced takes none. */
const allocate = (size: number): Uint8Array => (size > loopBytesMax ? new Uint8Array(new SharedArrayBuffer(size)) : Buffer.allocUnsafe(size));

const copy = (from: Uint8Array, length: number, size: number): Uint8Array => {
  const to = allocate(size);
  to.set(from.subarray(0, length));
  return to;
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
  let room: Room;
  try {
    room = new Room(meter, owner, bodyBytesMax, announced ?? firstRoomBytes);
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
    room.release();
    done(error);
  };
  const onData = (piece: Buffer): void => {
    pieces += 1;
    if (pieces > piecesUnlooked && room.length < pieces * pieceBytesMin) return refuse(new Refusal('body_too_complex', 'The body of your request comes in too many small pieces.'));
    try {
      room.add(piece);
    } catch (error) {
      refuse(error as Error);
    }
  };
  const onEnd = (): void => {
    stop();
    done(null, { bytes: room.finish(), release: () => room.release() });
  };
  const onError = (error: Error): void => refuse(error);
  const onClose = (): void => refuse(new Refusal('request_timeout', 'The client closed the connection.'));
  const look = (): void => {
    if (room.length - lengthAtLook < slowBytesMin) return refuse(new Refusal('request_timeout', `The body of your request came too slowly: less than ${slowBytesMin} bytes in ${stallMsMax} ms.`));
    lengthAtLook = room.length;
    callOff = deadlines.add(stallMsMax, look);
  };
  callOff = deadlines.add(stallMsMax, look);
  request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
};
