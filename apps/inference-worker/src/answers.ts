import { openAiErrorBody } from '@kilotoken/openai';
import type { Dispatcher, FinishReason, Generation, GenerationSink } from '@kilotoken/inference';
import { mintId, type Clock, type SpanAttributes } from '@kilotoken/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createChunkWriter, jsonAnswer, type AnsweredChoice, type AnswerIdentity } from './answer-format.js';
import type { WorkerRequest } from './generation-request.js';
import { toRefusal } from './refusal.js';
import type { WorkerMetrics } from './worker-metrics.js';

/** Answers requests with what an engine generates, whole or as a stream. */
export interface AnswerContext {
  readonly dispatcher: Dispatcher;
  readonly metrics: WorkerMetrics;
  readonly clock: Clock;
}

/** An answer that nobody reads is kept up to here: the longest are a hundred bytes a token. Then the connection is cut. */
const unreadBytesMax = 16 * 1024 * 1024;
const queueHeader = 'x-queue-ms';

export const answerRequest = async (asked: WorkerRequest, request: FastifyRequest, reply: FastifyReply, context: AnswerContext): Promise<void> => {
  const { metrics, clock } = context;
  const { model } = asked;
  const identity: AnswerIdentity = {
    id: `${asked.operation === 'chat.completion' ? 'chatcmpl' : 'cmpl'}-${mintId(clock.nowMs())}`,
    operation: asked.operation,
    model,
    createdSeconds: Math.floor(clock.nowMs() / 1000),
  };
  const cancel = cancelOnClose(reply);
  const answer = asked.stream ? createStreamedAnswer(asked.stream, identity, reply) : createJsonAnswer(identity, reply);
  let generation: Generation | null = null;
  let queueMs: number | null = null;
  const sink: GenerationSink = {
    started: (waitedMs) => {
      queueMs = Math.round(waitedMs);
      metrics.started(model, waitedMs);
      request.trace?.event('batch.entered');
      answer.started(queueMs);
    },
    text: (choice, text) => answer.text(choice, text, generation!),
    finish: (choice, reason) => answer.finish(choice, reason, generation!),
  };
  try {
    generation = context.dispatcher.generate(asked.generation, sink, cancel.signal);
    describe(request, asked, generation, () => queueMs);
    await generation.ended;
    metrics.ended(model, cancel.signal.aborted ? 'cancelled' : 'completed', generation.usage());
    if (!cancel.signal.aborted) answer.end(generation);
  } catch (error) {
    metrics.ended(model, generation ? 'failed' : 'refused', generation?.usage() ?? null);
    if (!answer.fail(error)) throw error;
    request.wideEvent['error'] = error;
  }
};

/** Fields of the request's one log line, read when it is written, also if the client left. */
const describe = ({ wideEvent, trace }: FastifyRequest, asked: WorkerRequest, generation: Generation, queueMs: () => number | null): void => {
  wideEvent['model'] = asked.model;
  const live = (name: string, get: () => unknown): unknown => Object.defineProperty(wideEvent, name, { enumerable: true, get });
  if (trace) trace.describe = () => ({ attributes: traceAttributes(asked, generation, queueMs()), children: [] });
  live('queueMs', queueMs);
  live('promptTokens', () => generation.usage()?.promptTokens ?? null);
  live('completionTokens', () => generation.usage()?.completionTokens ?? null);
};

/** By OpenTelemetry's conventions for generative AI; never what was asked or answered. */
const traceAttributes = ({ operation, model, generation: { maxTokens, sampling } }: WorkerRequest, generation: Generation, queueMs: number | null): SpanAttributes => {
  const usage = generation.usage();
  return {
    'gen_ai.operation.name': operation === 'chat.completion' ? 'chat' : 'text_completion',
    'gen_ai.provider.name': 'kilotoken',
    'gen_ai.request.model': model,
    'gen_ai.request.temperature': sampling.temperature,
    ...(maxTokens === null ? {} : { 'gen_ai.request.max_tokens': maxTokens }),
    ...(queueMs === null ? {} : { 'kilotoken.queue_ms': queueMs }),
    ...(usage === null ? {} : { 'gen_ai.usage.input_tokens': usage.promptTokens, 'gen_ai.usage.output_tokens': usage.completionTokens }),
  };
};

/** Aborts when the connection closes before the answer is out: tokens that nobody reads are not made. */
const cancelOnClose = ({ raw }: FastifyReply): AbortController => {
  const cancel = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) cancel.abort();
  });
  if (raw.destroyed) cancel.abort();
  return cancel;
};

interface Answer {
  started(queueMs: number): void;
  text(choice: number, text: string, generation: Generation): void;
  finish(choice: number, reason: FinishReason, generation: Generation): void;
  end(generation: Generation): void;
  /** True when it has told the client; false when nothing was sent yet, so that a status can still say it. */
  fail(error: unknown): boolean;
}

const createJsonAnswer = (identity: AnswerIdentity, reply: FastifyReply): Answer => {
  const choices: { text: string; reason: FinishReason }[] = [];
  const choiceAt = (choice: number): (typeof choices)[number] => (choices[choice] ??= { text: '', reason: 'stop' });
  return {
    started: (queueMs) => void reply.header(queueHeader, queueMs),
    text: (choice, text) => {
      choiceAt(choice).text += text;
    },
    finish: (choice, reason) => {
      choiceAt(choice).reason = reason;
    },
    end: (generation) => {
      const body = jsonAnswer(identity, choices satisfies AnsweredChoice[], generation.usage());
      void reply.header('content-type', 'application/json; charset=utf-8').send(body);
    },
    fail: () => false,
  };
};

const createStreamedAnswer = (stream: NonNullable<WorkerRequest['stream']>, identity: AnswerIdentity, reply: FastifyReply): Answer => {
  const chunks = createChunkWriter(identity, stream);
  const { raw } = reply;
  let headers: Record<string, string | number> = {};
  let begun = false;

  const write = (chunk: string): void => {
    if (!begun) {
      begun = true;
      // Only now: until something is generated a failure has a status of its own.
      reply.hijack();
      raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    }
    raw.write(chunk);
    // The close event cancels the generation.
    if (raw.writableLength > unreadBytesMax) raw.destroy();
  };
  const usageOf = (generation: Generation) => (stream.continuousUsage ? generation.usage() : null);
  return {
    started: (queueMs) => {
      headers = { [queueHeader]: queueMs };
    },
    text: (choice, text, generation) => write(chunks.text(choice, text, usageOf(generation))),
    finish: (choice, reason, generation) => write(chunks.finish(choice, reason, usageOf(generation))),
    end: (generation) => {
      raw.end(chunks.end(generation.usage()));
    },
    fail: (error) => {
      if (!begun) return false;
      const { code, message, param } = toRefusal(error);
      // No mark of the end: what ends like this was not complete.
      raw.end(`data: ${JSON.stringify(openAiErrorBody(code, message, param))}\n\n`);
      return true;
    },
  };
};
