import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toHttpError } from '../errors.js';

export type SendError = (request: FastifyRequest, reply: FastifyReply, error: unknown) => void;

/** Answers with what a caller may know of an error and leaves the rest in the request's log event. */
export const sendError: SendError = (request, reply, error) => {
  const { status, code, publicMessage } = toHttpError(error);
  // A malformed address is refused before any hook could prepare the event.
  if (request.wideEvent) {
    request.wideEvent['code'] = code;
    if (status >= 500) request.wideEvent['error'] = error;
  }
  if (reply.sent) return;
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', '1');
  // Sent as bytes, so that no serializer of a route can turn the answer into another.
  reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify({ error: { code, message: publicMessage, request_id: request.id } }));
};

/** All that a controller, a hook or the router throws, in one shape. */
@Catch()
export class AppErrorFilter implements ExceptionFilter {
  constructor(private readonly send: SendError = sendError) {}

  catch(error: unknown, host: ArgumentsHost): void {
    // GraphQL tells its callers of errors in its own shape.
    if (host.getType() !== 'http') throw error;
    const http = host.switchToHttp();
    this.send(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), error);
  }
}
