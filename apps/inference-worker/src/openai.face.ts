import { ContractError, parseJsonBody } from '@kilotoken/contracts';
import { openAiErrorBody } from '@kilotoken/openai';
import type { Clock } from '@kilotoken/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerRequest } from './answers.js';
import type { EnginesService } from './engines.service.js';
import { readRequest, type Operation } from './generation-request.js';
import { toRefusal } from './refusal.js';

export interface OpenAiFace {
  readonly engines: EnginesService;
  readonly clock: Clock;
}

const jsonType = /^application\/json(?: *; *charset="?utf-8"?)?$/i;

const bodyOf = (request: FastifyRequest): unknown => {
  if (!jsonType.test(request.headers['content-type'] ?? '')) {
    throw new ContractError('unsupported_media_type', 'The body must be JSON: send Content-Type: application/json.');
  }
  return parseJsonBody((request.body as Buffer | undefined) ?? Buffer.alloc(0));
};

const sendRefusal = (request: FastifyRequest, reply: FastifyReply, error: unknown): void => {
  const { status, code, message, param } = toRefusal(error);
  if (request.wideEvent) {
    request.wideEvent['code'] = code;
    if (status >= 500) request.wideEvent['error'] = error;
  }
  if (reply.raw.headersSent || reply.raw.destroyed) return;
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 429 || status === 503) reply.header('retry-after', '1');
  reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(openAiErrorBody(code, message, param)));
};

/** The routes under /v1: completions and models, for gateways. The token was checked by a hook before any of these. */
export const registerOpenAiFace = async (fastify: FastifyInstance, { engines, clock }: OpenAiFace): Promise<void> => {
  const complete = (operation: Operation) => async (request: FastifyRequest, reply: FastifyReply) => {
    const asked = readRequest(operation, bodyOf(request));
    const dispatcher = engines.find(asked.model);
    if (!dispatcher) throw new ContractError('model_not_found', `This worker does not serve '${asked.model.slice(0, 100)}'.`, 'model');
    await answerRequest(asked, request, reply, { dispatcher, metrics: engines.metrics, clock });
    return reply;
  };
  const startedSeconds = Math.floor(clock.nowMs() / 1000);
  const models = JSON.stringify({
    object: 'list',
    data: engines.dispatchers.map(({ engine: { modelId, kind, contextTokens } }) => ({
      id: modelId,
      object: 'model',
      created: startedSeconds,
      owned_by: 'kilotoken',
      engine: kind,
      context_window: contextTokens,
    })),
  });

  await fastify.register(
    async (v1) => {
      v1.setErrorHandler((error, request, reply) => sendRefusal(request, reply, error));
      v1.setNotFoundHandler((request, reply) => sendRefusal(request, reply, { statusCode: 404 }));
      v1.post('/chat/completions', complete('chat.completion'));
      v1.post('/completions', complete('text_completion'));
      v1.get('/models', async (_request, reply) => reply.header('content-type', 'application/json; charset=utf-8').send(models));
    },
    { prefix: '/v1' },
  );
};
