import { Agent, request } from 'node:http';
import { z } from 'zod';
import type { EngineOrder, EngineResult } from './engine-order.js';

/** Loads a worker through its HTTP face, with streams as a gateway asks for them. */
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

/** The last events of an answer are its usage and the mark of its end. */
const tailBytes = 2_048;
const agent = new Agent({ keepAlive: true });
const usageSchema = z.object({ usage: z.object({ completion_tokens: z.number().int() }) });

/** Times count from `startedMs`. What comes is only looked at for its first byte and its end: the client must cost little. */
export const streamAnswer = async (worker: WorkerAddress, prompt: string, tokens: number, startedMs: number, onFirstToken?: () => void): Promise<StreamedAnswer> =>
  new Promise((resolve, reject) => {
    const body = JSON.stringify({ model: worker.model, prompt, max_tokens: tokens, temperature: 0, stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } });
    const headers = { authorization: `Bearer ${worker.token}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(`${worker.origin}/v1/completions`, { method: 'POST', agent, headers }, (response) => {
      let firstTokenMs: number | null = null;
      let tail = Buffer.alloc(0);
      response.on('data', (bytes: Buffer) => {
        if (firstTokenMs === null) {
          firstTokenMs = performance.now() - startedMs;
          onFirstToken?.();
        }
        tail = Buffer.concat([tail, bytes]).subarray(-tailBytes);
      });
      response.once('error', reject);
      response.once('end', () => {
        const events = tail.toString().trimEnd().split('\n\n');
        if (response.statusCode !== 200 || events.at(-1) !== 'data: [DONE]') return reject(new Error(`the worker answered ${response.statusCode}: ${tail.toString().slice(-300)}`));
        const { usage } = usageSchema.parse(JSON.parse(events.at(-2)!.slice('data: '.length)));
        resolve({ tokens: usage.completion_tokens, firstTokenMs: firstTokenMs!, endedMs: performance.now() - startedMs });
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });

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

/** The worker's own histogram: its count is the decodes, its sum their sequences. */
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

/** Asks for a long answer, and when it has begun for a short one. */
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
