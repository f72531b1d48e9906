import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '@kilotoken/platform';
import { operationLimits } from './limits.js';
import { resolvePersisted, type PersistedOperations } from './persisted-operations.js';

export const graphqlPath = '/graphql';

export interface GraphqlFace {
  /** Origins of other sites whose pages may call with the viewer's cookie; the api's own needs none of this. */
  readonly origins: ReadonlySet<string>;
  readonly persisted: PersistedOperations;
}

const isGraphql = ({ raw }: FastifyRequest): boolean => raw.url?.split('?', 1)[0] === graphqlPath;
const bodyTooLarge = (): AppError => new AppError({ code: 'operation_too_large', kind: 'invalid', publicMessage: `The operation is larger than ${operationLimits.bodyBytesMax} bytes.` });
const bodyMalformed = (): AppError => new AppError({ code: 'operation_malformed', kind: 'invalid', publicMessage: 'The body is no JSON.' });

/**
 * Reads bodies for Apollo, which takes parsed ones, and answers preflights. An answer allows no script, frame or form: a browser that is led here
 * shows text. A content type that a form can send stays unread, and Apollo's CSRF prevention refuses it.
 */
export const registerGraphqlFace = (fastify: FastifyInstance, { origins, persisted }: GraphqlFace): void => {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!isGraphql(request)) return done();
    const { origin } = request.headers;
    void reply.headers({ 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'x-content-type-options': 'nosniff', 'cache-control': 'no-store', vary: 'origin' });
    if (origin !== undefined && origins.has(origin.toLowerCase())) void reply.headers({ 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' });
    if (request.method === 'POST') return done();
    if (request.method !== 'OPTIONS') return void reply.code(405).header('allow', 'POST').send();
    void reply.headers({ 'access-control-allow-methods': 'POST', 'access-control-allow-headers': 'content-type, authorization, apollo-require-preflight', 'access-control-max-age': '7200' });
    return void reply.code(204).send();
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (!isGraphql(request) || !Buffer.isBuffer(request.body)) return done();
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
      request.body = undefined;
      return done();
    }
    if (request.body.length > operationLimits.bodyBytesMax) return done(bodyTooLarge());
    try {
      request.body = resolvePersisted(persisted, JSON.parse(request.body.toString('utf8')));
    } catch {
      // A parser's message would quote the body.
      return done(bodyMalformed());
    }
    return done();
  });
};
