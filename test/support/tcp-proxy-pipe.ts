import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Direction = 'toServer' | 'toClient';

export interface Faults {
  /** Each piece arrives so much later; order is kept. */
  delayMs?: number;
  bytesPerSecond?: number;
  /** Pieces of at most so many bytes, each its own write. */
  splitBytes?: number;
  /** Flips the lowest bit of the byte at this place of the connection's stream, once. */
  corruptByteAt?: number;
  /** Reads nothing more while it is set: the peer's buffers fill up. */
  paused?: boolean;
}

export interface Cut {
  direction: Direction;
  /** Cut when this was seen, also where it straddles two reads. */
  pattern?: string | Buffer;
  /** Cut after so many bytes of a connection. */
  afterBytes?: number;
  /**
   * What becomes of the bytes that triggered it. `swallow`: they do not arrive. `deliver`: they arrive and nothing comes
   * back, which is a lost answer.
   */
  trigger: 'swallow' | 'deliver';
  /** `reset` sends RST to both sides, `half_close` a FIN to the client only, `silence` leaves the connection half-open. */
  how: 'reset' | 'half_close' | 'silence';
  /** How many connections it strikes; once unless said otherwise. */
  times?: number;
}

export interface ArmedCut extends Cut {
  left: number;
  onStruck: () => void;
}

const DRIP_STEP_MS = 20;

/** One direction of a proxied connection: bytes go through in order, each piece with the faults that hold at its time. */
export class Pipe {
  private bytesSeen = 0;
  private tail: Buffer = Buffer.alloc(0);
  private muted = false;
  private chain: Promise<void> = Promise.resolve();

  constructor(
    private readonly source: Socket,
    private readonly sink: Socket,
    private readonly direction: Direction,
    private readonly faults: Record<Direction, Faults>,
    private readonly cuts: () => readonly ArmedCut[],
    private readonly onCut: (cut: ArmedCut) => void,
  ) {
    source.on('data', (bytes: Buffer) => this.receive(bytes));
    source.once('end', () => this.enqueue(async () => void sink.end()));
    this.adapt();
  }

  /** Nothing arrives any more; what the source sends is read and dropped. */
  mute(): void {
    this.muted = true;
  }

  adapt(): void {
    if (this.faults[this.direction].paused) this.source.pause();
    else this.source.resume();
  }

  private receive(bytes: Buffer): void {
    if (this.muted) return;
    const cut = this.findCut(bytes);
    this.bytesSeen += bytes.length;
    if (cut && cut.left > 0) {
      if (cut.trigger === 'deliver') this.enqueue(() => this.deliver(bytes));
      this.onCut(cut);
      return;
    }
    this.enqueue(() => this.deliver(bytes));
  }

  private findCut(bytes: Buffer): ArmedCut | undefined {
    const window = Buffer.concat([this.tail, bytes]);
    this.tail = window.subarray(Math.max(0, window.length - 255));
    return this.cuts().find(({ direction, pattern, afterBytes }) => {
      if (direction !== this.direction) return false;
      if (pattern !== undefined) return window.includes(pattern);
      return afterBytes !== undefined && this.bytesSeen + bytes.length > afterBytes;
    });
  }

  private enqueue(step: () => Promise<void>): void {
    // A reader that is slower than its writer is held back by the pause; the chain is as long as one read.
    this.source.pause();
    this.chain = this.chain.then(step).catch(() => undefined);
    const mine = this.chain;
    void mine.then(() => {
      if (mine === this.chain) this.adapt();
    });
  }

  private async deliver(bytes: Buffer): Promise<void> {
    const { delayMs, bytesPerSecond, splitBytes, corruptByteAt } = this.faults[this.direction];
    const start = this.bytesSeen - bytes.length;
    if (corruptByteAt !== undefined && corruptByteAt >= start && corruptByteAt < this.bytesSeen) {
      bytes = Buffer.from(bytes);
      bytes[corruptByteAt - start]! ^= 1;
    }
    if (delayMs) await delay(delayMs);
    const step = bytesPerSecond ? Math.max(1, Math.floor((bytesPerSecond * DRIP_STEP_MS) / 1_000)) : (splitBytes ?? bytes.length);
    for (let at = 0; at < bytes.length; at += step) {
      if (this.sink.destroyed) return;
      // A rate below one byte a step waits longer for its byte.
      if (bytesPerSecond) await delay(Math.max(DRIP_STEP_MS, 1_000 / bytesPerSecond));
      await this.write(bytes.subarray(at, at + step));
    }
  }

  private write(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => this.sink.write(bytes, () => resolve()));
  }
}
