import type { Client } from './client.js';

/** Writes server-sent events to a client that may be slow or gone. Memory stays bounded: while it does not take them, the lane is not read. */
export interface StreamWriter {
  readonly begun: () => boolean;
  /** Sends bytes now; the first call sends the head. */
  write(text: string): void;
  /** The last bytes. A client that does not take them within the stall time is cut. */
  end(text: string): void;
}

export interface StreamWriterOptions {
  readonly headers: Record<string, string>;
  readonly stallMsMax: number;
  /** Told when the client does not take more, and when it does again. */
  readonly onBlocked: (blocked: boolean) => void;
}

export const createStreamWriter = ({ response }: Client, { headers, stallMsMax, onBlocked }: StreamWriterOptions): StreamWriter => {
  let begun = false;
  let blocked = false;
  let stall: NodeJS.Timeout | undefined;
  const cut = (): void => void response.destroy();

  const begin = (): void => {
    if (begun) return;
    begun = true;
    response.once('close', () => clearTimeout(stall));
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-accel-buffering': 'no', ...headers });
  };
  const onDrain = (): void => {
    blocked = false;
    clearTimeout(stall);
    onBlocked(false);
  };
  return {
    begun: () => begun,
    write: (text) => {
      if (response.destroyed) return;
      begin();
      if (response.write(text) || blocked) return;
      blocked = true;
      stall = setTimeout(cut, stallMsMax);
      response.once('drain', onDrain);
      onBlocked(true);
    },
    end: (text) => {
      if (response.destroyed) return;
      begin();
      response.off('drain', onDrain);
      clearTimeout(stall);
      stall = setTimeout(cut, stallMsMax);
      response.end(text, () => clearTimeout(stall));
    },
  };
};
