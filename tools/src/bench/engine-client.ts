import { connect } from 'node:net';
import { z } from 'zod';
import type { EngineOrder, EngineResult } from './engine-order.js';

/** Loads a worker through its HTTP face, with a gateway's streams. */
export interface WorkerAddress {
  readonly origin: string;
  readonly token: string;
  readonly model: string;
}

export interface StreamedAnswer {
  readonly tokens: number;
  readonly firstTokenMs: number;
  readonly endedMs: number;
}

/** An answer ends with its usage, the mark of its end and the last chunk of the body. */
const tailBytes = 2_048;
const endOfAnswer = 'data: [DONE]\n\n\r\n0\r\n\r\n';
const answerMsMax = 600_000;
const usageSchema = z.object({ usage: z.object({ completion_tokens: z.number().int() }) });

const requestOf = ({ origin, token, model }: WorkerAddress, prompt: string, tokens: number): string => {
  const body = JSON.stringify({ model, prompt, max_tokens: tokens, temperature: 0, stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } });
  const head = ['POST /v1/completions HTTP/1.1', `host: ${new URL(origin).host}`, `authorization: Bearer ${token}`, 'content-type: application/json', `content-length: ${Buffer.byteLength(body)}`];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
};

/** Throws when the answer is incomplete. */
const readTokens = (answer: string): number => {
  const usage = answer.split('data: ').at(-2);
  if (!answer.endsWith(endOfAnswer) || usage === undefined) throw new Error(`the worker's answer is incomplete: ${answer.slice(-300)}`);
  return usageSchema.parse(JSON.parse(usage)).usage.completion_tokens;
};

/**
 * Times count from `startedMs`. The client shares its cores with the worker, so it must cost little: it reads a socket and
 * searches the bytes for the first token and the end alone. An HTTP client takes 0.3 ms a token, a part of a decode.
 */
const streamAnswer = async (worker: WorkerAddress, prompt: string, tokens: number, startedMs: number, onFirstToken?: () => void): Promise<StreamedAnswer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(worker.origin);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let firstTokenMs: number | null = null;
    let tail: Buffer = Buffer.alloc(0);
    const finish = (error?: Error): void => {
      socket.destroy();
      try {
        if (error) throw error;
        resolve({ tokens: readTokens(tail.toString()), firstTokenMs: firstTokenMs!, endedMs: performance.now() - startedMs });
      } catch (problem) {
        reject(problem as Error);
      }
    };
    socket.setTimeout(answerMsMax, () => finish(new Error('the worker did not answer in time')));
    socket.once('error', finish).once('end', () => finish());
    socket.on('data', (bytes: Buffer) => {
      if (firstTokenMs === null) {
        firstTokenMs = performance.now() - startedMs;
        onFirstToken?.();
      }
      tail = bytes.length >= tailBytes ? bytes.subarray(-tailBytes) : Buffer.concat([tail.subarray(-tailBytes), bytes]);
      if (bytes.at(-1) === lineFeed && tail.subarray(-endOfAnswer.length).toString('latin1') === endOfAnswer) finish();
    });
    socket.write(requestOf(worker, prompt, tokens));
  });

const lineFeed = 10;

export const loadWorker = async (worker: WorkerAddress, { prompts, tokens }: EngineOrder): Promise<EngineResult> => {
  const before = await readDecodes(worker);
  const startedMs = performance.now();
  const answers = await Promise.all(prompts.map(async (prompt) => streamAnswer(worker, prompt, tokens, startedMs)));
  const elapsedMs = performance.now() - startedMs;
  const after = await readDecodes(worker);
  return {
    tokens: answers.reduce((sum, answer) => sum + answer.tokens, 0),
    elapsedMs,
    firstTokenMs: answers.map(({ firstTokenMs }) => firstTokenMs),
    decodes: after.decodes - before.decodes,
    sequences: after.sequences - before.sequences,
  };
};

/** The worker's own histogram: its count is the number of decodes, its sum their sequences. */
const readDecodes = async ({ origin, token, model }: WorkerAddress): Promise<{ decodes: number; sequences: number }> => {
  const text = await (await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
  const read = (suffix: string): number => {
    const line = text.split('\n').find((one) => one.startsWith(`kilotoken_worker_decode_sequences_${suffix}{`) && one.includes(`model="${model}"`));
    return line === undefined ? 0 : Number(line.split(' ').at(-1));
  };
  return { decodes: read('count'), sequences: read('sum') };
};

export interface ShortBesideLong {
  readonly shortMs: number;
  readonly longMs: number;
  readonly shortEndsFirst: boolean;
}

/** Asks for a long answer and, once it has begun, for a short one. */
export const measureShortBesideLong = async (worker: WorkerAddress, longPrompt: string, shortPrompt: string): Promise<ShortBesideLong> => {
  const [longTokens, shortTokens] = [200, 8];
  const startedMs = performance.now();
  let short: Promise<StreamedAnswer> | null = null;
  const long = await streamAnswer(worker, longPrompt, longTokens, startedMs, () => {
    short = streamAnswer(worker, shortPrompt, shortTokens, startedMs);
  });
  const { endedMs } = await short!;
  return { shortMs: endedMs, longMs: long.endedMs, shortEndsFirst: endedMs < long.endedMs };
};
