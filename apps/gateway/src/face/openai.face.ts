import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AdmissionService } from '../admission/admission.service.js';
import { idempotencyKeyOf } from '../admission/idempotency.js';
import type { Intake } from '../intake/intake.service.js';
import type { ReceivedBody } from '../intake/receive-body.js';
import { hashRequest } from '../intake/request-hash.js';
import type { Caller } from '../request/caller.js';
import { createClient } from '../request/client.js';
import type { Operation } from '../request/operation.js';
import type { ReadRequest } from '../request/read-request.js';
import { Refusal } from '../request/refusal.js';
import type { AccountService } from './account.service.js';
import type { CompletionsService } from './completions.service.js';
import type { KeyService } from './key.service.js';
import type { ModelList } from './model-list.js';
import { missingAddress, sendRefusal } from './send-refusal.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for every request under /v1 before its route runs. */
    caller: Caller | null;
  }
}

export interface OpenAiFace {
  readonly keys: KeyService;
  readonly admissions: AdmissionService;
  readonly completions: CompletionsService;
  readonly intake: Intake;
  readonly account: AccountService;
  readonly models: ModelList;
  readonly mintRequestId: () => string;
}

const bearer = /^Bearer ([\x21-\x7e]+)$/i;

/** The one key of a request. A second Authorization header is refused: two readers could each take another one. */
const keyOf = (request: FastifyRequest): string => {
  const { rawHeaders } = request.raw;
  let header: string | null = null;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue;
    if (header !== null) throw new Refusal('invalid_api_key', 'Your request has two Authorization headers. Send one.');
    header = rawHeaders[index + 1]!;
  }
  if (header === null) throw new Refusal('missing_api_key', "You didn't provide an API key. Send it in an Authorization header: 'Authorization: Bearer YOUR_KEY'.");
  const match = bearer.exec(header);
  if (!match) throw new Refusal('invalid_api_key', 'The Authorization header is malformed. Send: Authorization: Bearer YOUR_KEY.');
  return match[1]!;
};

const jsonType = /^application\/json(?: *; *charset="?utf-8"?)?$/i;

/** Asked before a byte of the body is read. */
const refuseType = ({ headers }: FastifyRequest): void => {
  if (!jsonType.test(headers['content-type'] ?? '')) {
    throw new Refusal('unsupported_media_type', 'The body must be JSON: send Content-Type: application/json.');
  }
  if (headers['content-encoding'] !== undefined) throw new Refusal('unsupported_media_type', 'A compressed body is not accepted. Send plain JSON.');
};

const noBody = { bytes: new Uint8Array(0), release: () => undefined };

const hashOf = (read: ReadRequest, operation: Operation, { bytes }: ReceivedBody): Buffer =>
  read.whole === null ? Buffer.from(read.hash!) : hashRequest(operation, bytes);

/** One completion, from its body to the end of its answer. */
const createCompletion =
  ({ intake, admissions, completions, mintRequestId }: OpenAiFace) =>
  async (request: FastifyRequest, reply: FastifyReply, operation: Operation): Promise<void> => {
    const caller = request.caller!;
    const body = (request.body as ReceivedBody | undefined) ?? noBody;
    try {
      refuseType(request);
      const key = idempotencyKeyOf(request.headers['idempotency-key']);
      const reading = intake.readBody(body.bytes, operation, caller, key !== null);
      const read = reading instanceof Promise ? await reading : reading;
      const admission = key === null ? admissions.begin(caller) : await admissions.beginUnderKey(caller, key, hashOf(read, operation, body));
      // From here to the hold nothing is waited for: ids of requests that hold ascend, however long their bodies took.
      Object.assign(request, { id: mintRequestId() });
      reply.header('x-request-id', request.id);
      await completions.answer(request.id, caller, operation, read, createClient(reply.raw, request.wideEvent, request.trace), admission);
    } finally {
      body.release();
    }
    // The relay wrote to the response itself.
    if (!reply.sent) reply.hijack();
  };

type Answer = (request: FastifyRequest, reply: FastifyReply, caller: Caller) => Promise<unknown>;

/**
 * The routes under /v1. Every path there needs a key, one that does not exist too: the hook stands before routing's answer,
 * so no spelling of a path gets around it.
 */
export const registerOpenAiFace = async (fastify: FastifyInstance, face: OpenAiFace): Promise<void> => {
  const { keys, admissions, intake, account, models } = face;
  // Outside of /v1 nobody takes a body, so none is read there: its sender is not known.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, _payload, done) => done(null));
  await fastify.register(
    async (v1) => {
      v1.decorateRequest('caller', null);
      // Not async: nearly every key is known already. What it throws, Fastify answers as it does a rejection.
      v1.addHook('onRequest', (request, _reply, done) => {
        const admit = (caller: Caller): void => {
          request.caller = caller;
          request.wideEvent['organizationId'] = caller.organizationId;
          request.wideEvent['apiKeyId'] = caller.apiKeyId;
          request.trace?.event('authenticated');
          done();
        };
        const caller = keys.authenticate(keyOf(request));
        if (caller instanceof Promise) caller.then(admit, done);
        else admit(caller);
      });
      v1.removeAllContentTypeParsers();
      v1.addContentTypeParser('*', (request, _payload, done) => {
        // Nobody reads it: whoever answers for an unknown path does not need it.
        if (request.is404) return done(null);
        try {
          admissions.refuseWhenFull(request.caller!);
          refuseType(request);
        } catch (error) {
          return done(error as Error);
        }
        intake.receive(request, request.caller!, done);
      });
      v1.setErrorHandler((error, request, reply) => sendRefusal(request, reply, error));
      v1.setNotFoundHandler((request, reply) => {
        const url = request.url.split('?')[0]!;
        const allowed = (['GET', 'POST'] as const).filter((method) => v1.hasRoute({ method, url }));
        if (allowed.length === 0) return sendRefusal(request, reply, missingAddress(request));
        reply.header('allow', allowed.join(', '));
        return sendRefusal(request, reply, new Refusal('method_not_allowed', `${request.method} is not allowed here. Use ${allowed.join(' or ')}.`));
      });

      const complete = createCompletion(face);
      v1.post('/chat/completions', (request, reply) => complete(request, reply, 'chat.completions'));
      v1.post('/completions', (request, reply) => complete(request, reply, 'completions'));

      const answer = (handle: Answer) => async (request: FastifyRequest, reply: FastifyReply) => {
        account.countRead(request.caller!);
        reply.header('content-type', 'application/json; charset=utf-8');
        return JSON.stringify(await handle(request, reply, request.caller!));
      };
      v1.get('/models', answer(async (_request, _reply, caller) => models.list(caller)));
      v1.get('/models/*', answer(async (request, _reply, caller) => models.get(caller, (request.params as { '*': string })['*'])));
      v1.get('/credits', answer(async (_request, _reply, caller) => account.credits(caller)));
      v1.get('/generations/:id', answer(async (request, _reply, caller) => account.generation(caller, (request.params as { id: string }).id)));
    },
    { prefix: '/v1' },
  );
};
