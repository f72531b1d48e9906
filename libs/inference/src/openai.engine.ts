import { utf8Length } from '@kilotoken/contracts';
import { AppError } from '@kilotoken/platform';
import { createParser } from 'eventsource-parser';
import { Pool, type Dispatcher as HttpClient } from 'undici';
import { z } from 'zod';
import type { Engine, GenerationRequest, Plan, Prompt, Run, RunSink } from './engine.js';
import { createStreamReader } from './openai-chunk.js';

/**
 * An engine that is a server with OpenAI's API: vLLM, SGLang, TensorRT-LLM, llama-server. It batches by itself; we decide
 * what it gets. Every request is streamed, so that a cancellation stops it and counts are known as it runs.
 */
export interface OpenAiEngineSettings {
  /** Ends in the version: http://127.0.0.1:8000/v1. */
  readonly baseUrl: string;
  /** The id that it is served under, and the model's name at the server. */
  readonly modelId: string;
  readonly upstreamModel: string;
  readonly key: string | null;
  readonly contextTokens: number;
  readonly connectionsMax: number;
  readonly connectMs: number;
  /** Until its answer begins, the wait for its own batch included. */
  readonly firstByteMs: number;
  /** Between two pieces of an answer. */
  readonly idleMs: number;
  /** Whether it takes `continuous_usage_stats` (vLLM, SGLang): without it counts are known at the end alone. */
  readonly continuousUsage: boolean;
}

export interface OpenAiRun extends Run {
  readonly path: '/chat/completions' | '/completions';
  readonly body: string;
}

const checkMs = 2_000;
const errorBytesMax = 64 * 1024;
/** An event is a few tokens; this bounds what a server that never ends a line can make us keep. */
const eventBytesMax = 1024 * 1024;
const messageLengthMax = 300;

const textBytesOf = (prompt: Prompt): number =>
  prompt.kind === 'chat'
    ? prompt.messages.reduce((sum, { content }) => sum + utf8Length(content), 0)
    : prompt.texts.reduce((sum, text) => sum + utf8Length(text), 0);

export const createOpenAiEngine = (settings: OpenAiEngineSettings): Engine<OpenAiRun> => {
  const { baseUrl, modelId, contextTokens, key } = settings;
  const { origin, pathname } = new URL(baseUrl);
  const pool = new Pool(origin, {
    connections: settings.connectionsMax,
    pipelining: 1,
    connect: { timeout: settings.connectMs },
    headersTimeout: settings.firstByteMs,
    bodyTimeout: settings.idleMs,
  });
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream', ...(key === null ? {} : { authorization: `Bearer ${key}` }) };

  const plan = (request: GenerationRequest): Plan<OpenAiRun> => {
    const { prompt, choicesPerPrompt } = request;
    const sequences = (prompt.kind === 'chat' ? 1 : prompt.texts.length) * choicesPerPrompt;
    // Nobody but the server can count its tokens; a token has at least a byte, so bytes bound what its cache will hold.
    const kvTokens = Math.min(contextTokens, textBytesOf(prompt) + (request.maxTokens ?? contextTokens)) * sequences;
    const run: OpenAiRun = {
      choices: Array.from({ length: sequences }, (_, choice) => choice),
      sequences,
      kvTokens,
      path: prompt.kind === 'chat' ? '/chat/completions' : '/completions',
      body: JSON.stringify(bodyOf(request, settings)),
    };
    return { promptTokens: null, runs: [run] };
  };

  const run = async ({ choices, path, body }: OpenAiRun, sink: RunSink, signal: AbortSignal): Promise<void> => {
    try {
      const response = await pool.request({ path: `${pathname}${path}`, method: 'POST', headers, body, signal });
      if (response.statusCode !== 200) throw await refusalOf(response);
      await readStream(response.body, choices, sink, signal);
    } catch (error) {
      // undici rejects after an abort, which the caller requested.
      if (signal.aborted) return;
      throw error instanceof AppError ? error : failureOf(error);
    }
  };

  return {
    modelId,
    kind: 'openai',
    contextTokens,
    plan,
    run,
    check: async () => {
      const response = await pool.request({ path: `${pathname}/models`, method: 'GET', headers, headersTimeout: checkMs, bodyTimeout: checkMs, signal: AbortSignal.timeout(checkMs) });
      await response.body.dump();
      if (response.statusCode !== 200) throw new Error(`the server answers ${response.statusCode}`);
    },
    close: async () => pool.destroy(),
  };
};

/** Only what is not at its default: servers differ in what they take. */
const bodyOf = ({ prompt, choicesPerPrompt, maxTokens, sampling }: GenerationRequest, settings: OpenAiEngineSettings): Record<string, unknown> => ({
  model: settings.upstreamModel,
  ...(prompt.kind === 'chat' ? { messages: prompt.messages } : { prompt: prompt.texts.length === 1 ? prompt.texts[0] : prompt.texts }),
  ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
  ...(choicesPerPrompt === 1 ? {} : { n: choicesPerPrompt }),
  temperature: sampling.temperature,
  top_p: sampling.topP,
  ...(sampling.seed === null ? {} : { seed: sampling.seed }),
  ...(sampling.stop.length === 0 ? {} : { stop: sampling.stop }),
  stream: true,
  stream_options: { include_usage: true, ...(settings.continuousUsage ? { continuous_usage_stats: true } : {}) },
});

const readStream = async (body: AsyncIterable<Uint8Array>, choices: readonly number[], sink: RunSink, signal: AbortSignal): Promise<void> => {
  const reader = createStreamReader(choices, sink);
  const decoder = new TextDecoder();
  let pendingBytes = 0;
  const parser = createParser({
    onEvent: ({ data }) => {
      pendingBytes = 0;
      reader.read(data);
    },
  });
  for await (const bytes of body) {
    if (signal.aborted) return;
    pendingBytes += bytes.length;
    parser.feed(decoder.decode(bytes, { stream: true }));
    if (pendingBytes > eventBytesMax) throw new Error('an event is too long');
  }
  reader.end();
};

const timeoutCodes: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

const failureOf = (error: unknown): AppError => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return timeoutCodes.has(code)
    ? new AppError({ code: 'upstream_timeout', kind: 'unavailable', publicMessage: 'The engine did not answer in time.', cause: error })
    : new AppError({ code: 'upstream_error', kind: 'unavailable', publicMessage: 'The engine failed to answer.', cause: error });
};

const errorSchema = z.object({ error: z.object({ message: z.string(), code: z.unknown() }).partial().optional(), message: z.string().optional() });

/** Translates the server's refusal for our caller. Its text is passed on if it is about the request. */
const refusalOf = async (response: HttpClient.ResponseData): Promise<AppError> => {
  const { statusCode } = response;
  const said = await readError(response);
  if (statusCode === 429) {
    return new AppError({ code: 'queue_full', kind: 'exhausted', publicMessage: 'The engine is at capacity. Try again shortly.' });
  }
  if (statusCode === 400 || statusCode === 413 || statusCode === 422) {
    const code = said.code === 'context_length_exceeded' ? 'context_length_exceeded' : 'invalid_value';
    return new AppError({ code, kind: 'invalid', publicMessage: said.message ?? 'The engine refused the request.' });
  }
  const code = statusCode === 503 ? 'lane_unavailable' : 'upstream_error';
  return new AppError({ code, kind: 'unavailable', publicMessage: 'The engine failed to answer.', details: { upstreamStatus: statusCode } });
};

const readError = async ({ body }: HttpClient.ResponseData): Promise<{ code?: unknown; message?: string }> => {
  let text = '';
  for await (const bytes of body) {
    text += String(bytes);
    if (text.length > errorBytesMax) break;
  }
  try {
    const { error, message } = errorSchema.parse(JSON.parse(text));
    const words = error?.message ?? message;
    // eslint-disable-next-line no-control-regex -- control characters are what must not pass
    return { code: error?.code, ...(words === undefined ? {} : { message: words.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, messageLengthMax) }) };
  } catch {
    // A server may answer an error with a page: its status says enough.
    return {};
  }
};
