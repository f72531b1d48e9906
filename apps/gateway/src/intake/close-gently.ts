import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { loopBytesMax } from './body-work.js';

/** How long a client is listened to that was refused while it still sends. */
const lingerMs = 2_000;

/**
 * A client that is refused before its body has come still sends it. Closing at once would reset the connection, and most
 * clients lose an answer that is followed by a reset. So the answer goes out, what comes is thrown away, and the connection
 * is closed when the client closes it or after a short time. A short body is read to its end, and the connection is kept.
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
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
  // What Node calls once the last answer is out: half of the connection is closed, and the other half read on.
  socket.destroySoon = () => socket.end();
};
