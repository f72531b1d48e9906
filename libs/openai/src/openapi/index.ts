import { chatCompletionSchema } from '../chat-completion.js';
import { completionSchema } from '../completion.js';
import * as answers from './answers.js';
import { completionErrors, errorResponses, rateLimitHeaders, readErrors, textHeader, traceId } from './errors.js';
import { acceptedBy, answeredAs, type JsonSchema } from './json-schema.js';

/**
 * The gateway's public face as an OpenAPI 3.1 document, from the schemas that parse its requests and the catalogue of its
 * errors. `npm run openapi` writes it to `docs/openapi.json`; tests keep that file, the routes and real answers equal to it.
 * Not part of the library's index: no process loads it.
 */
const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: JsonSchema): JsonSchema => ({ 'application/json': { schema } });
const requestId = { 'x-request-id': { $ref: '#/components/headers/RequestId' }, 'x-trace-id': traceId };

const hold = { 'x-kilotoken-hold': textHeader('The most that the request could have cost, held while it ran.') };
const chargeHeaders = {
  ...hold,
  'x-kilotoken-charge': textHeader('What it cost. JSON answers alone.'),
  'x-kilotoken-balance': textHeader('What is left to spend after it, as far as this gateway knows. JSON answers alone.'),
  'x-kilotoken-dropped': textHeader('Parameters that were left out, with commas between them.'),
  'x-kilotoken-limit-warning': textHeader('The soft limits that the request went beyond.'),
};

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'One key, one answer: the same key again is answered 409 with the generation and its charge. Remembered for 24 hours.',
  schema: { type: 'string', pattern: '^[!-~]{1,255}$' },
};

interface Completing {
  readonly operationId: string;
  readonly summary: string;
  readonly request: string;
  readonly answer: string;
  readonly stream: string;
}

const completing = ({ operationId, summary, request, answer, stream }: Completing): JsonSchema => ({
  post: {
    operationId,
    summary,
    parameters: [idempotencyKey],
    requestBody: { required: true, content: json(ref(request)) },
    responses: {
      200: {
        description: 'One JSON body, or with `stream` server-sent events that end with `[DONE]`. Both end only after the charge is committed.',
        headers: { ...requestId, ...chargeHeaders, ...rateLimitHeaders },
        content: { ...json(ref(answer)), 'text/event-stream': { schema: { type: 'string', description: stream } } },
      },
      ...errorResponses(completionErrors),
    },
  },
});

const reading = (operationId: string, summary: string, answer: string, errors: ReturnType<typeof readErrors>, parameter?: { readonly name: string; readonly description?: string }): JsonSchema => ({
  get: {
    operationId,
    summary,
    ...(parameter ? { parameters: [{ ...parameter, in: 'path', required: true, schema: { type: 'string' } }] } : {}),
    responses: { 200: { description: 'Found.', headers: requestId, content: json(ref(answer)) }, ...errorResponses(errors) },
  },
});

const healthOf = (operationId: string, summary: string, notWell: JsonSchema): JsonSchema => ({
  get: { operationId, summary, security: [], responses: { 200: { description: 'Well.', headers: requestId, content: json(ref('Health')) }, ...notWell } },
});

const paths = (): JsonSchema => ({
  '/v1/chat/completions': completing({
    operationId: 'createChatCompletion',
    summary: 'Complete a chat',
    request: 'ChatCompletionRequest',
    answer: 'ChatCompletion',
    stream: "Each event's data is a ChatCompletionChunk, or an Error that ends the stream without `[DONE]`.",
  }),
  '/v1/completions': completing({
    operationId: 'createCompletion',
    summary: 'Complete a text (legacy)',
    request: 'CompletionRequest',
    answer: 'Completion',
    stream: "Each event's data is a Completion, or an Error that ends the stream without `[DONE]`.",
  }),
  '/v1/models': reading('listModels', 'What the key may use, with the prices that it pays now', 'ModelList', readErrors()),
  '/v1/models/{id}': reading('getModel', 'One model, whose id may hold slashes', 'Model', readErrors('model_not_found'), { name: 'id' }),
  '/v1/credits': reading('listCredits', 'Every grant to the last digit', 'Credits', readErrors()),
  '/v1/generations/{id}': reading('getGeneration', "Every line of a request's arithmetic", 'Generation', readErrors('not_found'), {
    name: 'id',
    description: "The request's id (`x-request-id`) or its answer's (`chatcmpl-…`, `cmpl-…`).",
  }),
  '/healthz': healthOf('getHealth', 'Whether the process lives', {}),
  '/health': healthOf('getHealthToo', 'The same as /healthz', {}),
  '/readyz': healthOf('getReadiness', 'Whether the process can answer requests', { 503: { description: 'Not ready, or draining.', content: json(ref('Health')) } }),
});

/** `version`: the product's. */
export const composeOpenApi = (version: string): JsonSchema => ({
  openapi: '3.1.0',
  info: {
    title: 'Kilotoken gateway',
    version,
    description: "OpenAI's API, with exact charges. The official SDKs work unchanged: set their base URL and an API key of Kilotoken's.",
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: 'http://127.0.0.1:8080' }],
  security: [{ apiKey: [] }],
  paths: paths(),
  components: {
    securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'kt_live_…' } },
    headers: { RequestId: { description: 'Names the request; `GET /v1/generations/{id}` takes it.', schema: { type: 'string', format: 'uuid' } } },
    schemas: {
      ChatCompletionRequest: acceptedBy(chatCompletionSchema),
      CompletionRequest: acceptedBy(completionSchema),
      ChatCompletion: answeredAs(answers.chatCompletion),
      ChatCompletionChunk: answeredAs(answers.chatCompletionChunk),
      Completion: answeredAs(answers.completion),
      Model: answeredAs(answers.model),
      ModelList: answeredAs(answers.modelList),
      Credits: answeredAs(answers.credits),
      Generation: answeredAs(answers.generation),
      Error: answeredAs(answers.errorBody),
      Health: answeredAs(answers.health),
    },
  },
});
