import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { loopBytesMax } from './body-work.js';

/** How long what a refused client still sends is read and thrown away, and after how long its connection is cut. */
const discardMs = 200;
const lingerMs = 2_000;

/**
 * A client that is refused before its body has come still sends it. Closing at once would reset the connection, and most
 * clients lose an answer that is followed by a reset. So the answer goes out and our half of the connection is closed; what
 * comes is thrown away for a moment, then left to wait, and the connection is cut when the client closes it or after a short
 * time. A short body is read to its end, and the connection is kept.
 */
export const closeGently = ({ raw, headers }: FastifyRequest, reply: FastifyReply, code: string): void => {
  if (raw.complete) return;
  const announced = Number(headers['content-length'] ?? Infinity);
  if (announced <= loopBytesMax && code !== 'request_timeout') {
    if (code !== 'server_draining') reply.removeHeader('connection');
    return;
  }
  reply.header('connection', 'close');
  linger(raw.socket);
};

const linger = (socket: Socket): void => {
  const pausing = setTimeout(() => socket.pause(), discardMs);
  const cutting = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => {
    clearTimeout(pausing);
    clearTimeout(cutting);
  });
  // Node calls this after the last answer is out.
  socket.destroySoon = () => socket.end();
};
