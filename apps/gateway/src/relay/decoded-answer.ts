import type { IncomingHttpHeaders } from 'node:http';
import * as zlib from 'node:zlib';
import type { Dispatcher } from 'undici';
import { LaneError } from './failure.js';

/**
 * We ask vendors for plain bytes. Some send compressed ones all the same: this handler decodes them on their way to the
 * attempt, which sees plain bytes and no trace of the encoding. A plain answer passes through untouched.
 *
 * Bounded: the decoder holds a few tens of kilobytes, a paused attempt pauses it and the connection, and an answer that
 * grows beyond `decodedBytesMax` ends as failed. An encoding that we do not know is a failure of the lane.
 */
const decodedBytesMax = 256 * 1024 * 1024;

type Decoder = ReturnType<typeof zlib.createGunzip> | ReturnType<typeof zlib.createBrotliDecompress>;

/** A deflated body is a zlib stream by the standard, and bare deflate with servers that misread it: the first byte tells. */
const isZlibHeader = (first: number): boolean => (first & 0x0f) === 8 && first >> 4 <= 7;

const inflaterFor = (first: number): Decoder => (isZlibHeader(first) ? zlib.createInflate() : zlib.createInflateRaw());

/** Node has zstd from 22.15 on. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Decoder };

const decoders: Readonly<Record<string, ((first: number) => Decoder) | undefined>> = {
  gzip: () => zlib.createGunzip(),
  'x-gzip': () => zlib.createGunzip(),
  deflate: inflaterFor,
  br: () => zlib.createBrotliDecompress(),
  ...(createZstdDecompress ? { zstd: createZstdDecompress } : {}),
};

const encodingOf = (headers: IncomingHttpHeaders): string | null => {
  const given = headers['content-encoding'] as string | string[] | undefined;
  if (given === undefined) return null;
  const encoding = String(given).trim().toLowerCase();
  return encoding === '' || encoding === 'identity' ? null : encoding;
};

/** Node's decoders take what they are given in pieces of this size: none of them waits long for the next. */
const pieceBytes = 64 * 1024;

/** The attempt's controller too: pausing it pauses what is decoded, and aborting it drops that. */
export class DecodedAnswer implements Dispatcher.DispatchHandler, Dispatcher.DispatchController {
  private source: Dispatcher.DispatchController | null = null;
  private encoding: string | null = null;
  private decoder: Decoder | null = null;
  private decodedBytes = 0;
  private isPaused = false;
  /** The decoder has enough input for now. */
  private isFull = false;
  /** All input came, and why there is no more; the attempt is told when what came before is decoded. */
  private ending: { readonly error: Error | null; readonly trailers: IncomingHttpHeaders } | null = null;
  private isOver = false;

  constructor(
    private readonly attempt: Dispatcher.DispatchHandler,
    private readonly bytesMax = decodedBytesMax,
  ) {}

  get aborted(): boolean {
    return this.source?.aborted ?? this.isOver;
  }

  get paused(): boolean {
    return this.isPaused;
  }

  get reason(): Error | null {
    return this.source?.reason ?? null;
  }

  pause(): void {
    this.isPaused = true;
    this.decoder?.pause();
    if (!this.ending) this.source?.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.decoder?.resume();
    if (!this.isFull && !this.ending) this.source?.resume();
  }

  abort(reason: Error): void {
    // Once the body is complete undici has nothing to abort and says nothing: the attempt is told here.
    if (this.ending) this.fail(reason);
    else this.source?.abort(reason);
  }

  onRequestStart(source: Dispatcher.DispatchController, context: unknown): void {
    this.source = source;
    this.attempt.onRequestStart?.(this, context);
  }

  onResponseStart(_source: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders, text?: string): void {
    const encoding = status < 200 ? null : encodingOf(headers);
    if (encoding !== null && !decoders[encoding]) return this.source?.abort(new LaneError(`the answer has a content encoding that cannot be read: ${encoding.slice(0, 60)}`));
    this.encoding = encoding;
    if (encoding === null) this.attempt.onResponseStart?.(this, status, headers, text);
    else {
      // A Content-Length stays: that the body has an end of its own is true of what is decoded too.
      const { 'content-encoding': _encoding, ...plain } = headers;
      this.attempt.onResponseStart?.(this, status, plain, text);
    }
  }

  onResponseData(_source: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.encoding === null) return this.attempt.onResponseData?.(this, bytes);
    if (this.isOver || bytes.length === 0) return;
    this.decoder ??= this.open(this.encoding, bytes[0]!);
    for (let from = 0; from < bytes.length; from += pieceBytes) {
      if (this.decoder.write(bytes.subarray(from, from + pieceBytes)) || this.isFull) continue;
      this.isFull = true;
      this.source?.pause();
    }
  }

  onResponseEnd(_source: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    if (this.decoder) this.endInput(null, trailers);
    else this.attempt.onResponseEnd?.(this, trailers);
  }

  onResponseError(_source: Dispatcher.DispatchController, error: Error): void {
    // Bytes from before the connection broke are decoded and delivered first, unless the attempt itself ended it.
    if (this.decoder && !this.source?.aborted) this.endInput(error, {});
    else this.fail(error);
  }

  private open(encoding: string, first: number): Decoder {
    const decoder = decoders[encoding]!(first);
    decoder.on('data', (bytes: Buffer) => this.deliver(bytes));
    decoder.on('drain', () => {
      this.isFull = false;
      if (!this.isPaused && !this.ending) this.source?.resume();
    });
    decoder.on('end', () => this.finish());
    decoder.on('error', (error) => this.refuse(this.ending?.error ?? error));
    if (this.isPaused) decoder.pause();
    return decoder;
  }

  private deliver(bytes: Buffer): void {
    if (this.isOver) return;
    this.decodedBytes += bytes.length;
    if (this.decodedBytes > this.bytesMax) this.refuse(new Error(`a compressed answer holds more than ${this.bytesMax} bytes`));
    else this.attempt.onResponseData?.(this, bytes);
  }

  private endInput(error: Error | null, trailers: IncomingHttpHeaders): void {
    this.ending = { error, trailers };
    this.decoder!.end();
  }

  /** All is decoded and delivered. */
  private finish(): void {
    if (this.isOver || !this.ending) return;
    const { error, trailers } = this.ending;
    if (error) return this.fail(error);
    this.isOver = true;
    this.attempt.onResponseEnd?.(this, trailers);
  }

  /** The bytes cannot be decoded, or there are too many: the connection is of no use any more. */
  private refuse(error: Error): void {
    if (this.ending) this.fail(error);
    else if (!this.isOver) this.source?.abort(error);
  }

  private fail(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.decoder?.destroy();
    this.attempt.onResponseError?.(this, error);
  }
}
