import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Client } from '../request/client.js';

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
  /** Told of everything that is sent. */
  readonly onWritten: () => void;
}

/**
 * The connection, where a chunk may be put on it as it is: the head has left, nothing waits before it, and the body is in
 * chunks (a client of HTTP/1.0 is sent none).
 */
const connectionOf = (response: ServerResponse): Socket | null => {
  const { socket } = response;
  return response.chunkedEncoding && socket !== null && response.writableLength === socket.writableLength ? socket : null;
};

/** A chunk of a body, RFC 9112 §7.1. In one write: Node's own makes four of it and takes half as long again, thirty times a stream. */
const chunkOf = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

export const createStreamWriter = ({ response }: Client, { headers, stallMsMax, onBlocked, onWritten }: StreamWriterOptions): StreamWriter => {
  let begun = false;
  let stall: NodeJS.Timeout | undefined;
  /** Emits `drain` when the client takes more. */
  let waitingOn: ServerResponse | Socket | null = null;
  const cut = (): void => void response.destroy();

  const stopWaiting = (): void => {
    clearTimeout(stall);
    waitingOn?.off('drain', onDrain);
    waitingOn = null;
  };
  const begin = (): void => {
    if (begun) return;
    begun = true;
    response.once('close', onClose);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-accel-buffering': 'no', ...headers });
  };
  /** Nobody takes anything any more: nothing is held back for the client's sake. */
  const onClose = (): void => {
    if (waitingOn) onBlocked(false);
    stopWaiting();
  };
  const onDrain = (): void => {
    stopWaiting();
    onBlocked(false);
  };
  /** Answers whom to wait for before more is sent; null when the client takes more. */
  const send = (text: string): ServerResponse | Socket | null => {
    const connection = begun ? connectionOf(response) : null;
    begin();
    // An empty chunk would be the end of the body.
    if (connection && text !== '') return connection.write(chunkOf(text)) ? null : connection;
    return response.write(text) ? null : response;
  };
  return {
    begun: () => begun,
    write: (text) => {
      if (response.destroyed) return;
      onWritten();
      const slow = send(text);
      if (!slow || waitingOn) return;
      waitingOn = slow.once('drain', onDrain);
      stall = setTimeout(cut, stallMsMax);
      onBlocked(true);
    },
    end: (text) => {
      if (response.destroyed) return;
      begin();
      stopWaiting();
      stall = setTimeout(cut, stallMsMax);
      response.end(text, () => clearTimeout(stall));
    },
  };
};
