import { Agent, request as send, type Dispatcher } from 'undici';
import { instruct, type VendorScript } from './vendor-script.js';

/**
 * A client that writes down what it got, one of the three logs that I10 compares. It knows HTTP and SSE and nothing else:
 * what an SDK would hide (headers, a stream that ends without [DONE]) is what is to be recorded.
 */

export interface ClientLogEntry {
  label: string;
  requestId: string | null;
  stream: boolean;
  /** Null: the connection failed before an answer. */
  status: number | null;
  /** A whole JSON answer, or a stream with a finish_reason for each choice and [DONE]. */
  completed: boolean;
  /** The client itself gave up. */
  aborted: boolean;
  errorCode: string | null;
  /** How it ended otherwise, in words. */
  failure: string | null;
  usage: { prompt_tokens: number; completion_tokens: number } | null;
  /** Exact decimals, as they came: `usage.cost` as the text of a number. */
  cost: string | null;
  charge: string | null;
  hold: string | null;
  /** Chunks with text; each is one token of the stand-in. */
  chunks: number;
  finishReasons: string[];
  startedAtMs: number;
  firstChunkAtMs: number | null;
  endedAtMs: number;
}

export interface ChatOptions {
  /** Ends in /v1. */
  baseUrl: string;
  apiKey: string;
  model?: string;
  stream?: boolean;
  /** For the stand-in; the label is added. */
  script?: VendorScript;
  /** Further parameters of the body. */
  body?: Record<string, unknown>;
  /** Leaves after so many chunks with text. */
  abortAfterChunks?: number;
  signal?: AbortSignal;
  onChunk?: (entry: ClientLogEntry) => void;
}

const ANSWER_MS_MAX = 120_000;
const BODY_BYTES_MAX = 64 * 1024 * 1024;

interface Chunk {
  choices?: { delta?: { content?: string | null }; text?: string; finish_reason?: string | null }[];
  usage?: ClientLogEntry['usage'];
  error?: { code?: string | null };
}

export class ClientLog {
  readonly entries: ClientLogEntry[] = [];
  private readonly agent = new Agent({ connections: 1_024, pipelining: 1, headersTimeout: ANSWER_MS_MAX, bodyTimeout: ANSWER_MS_MAX });
  private started = 0;

  constructor(private readonly name = 'client') {}

  /** One chat completion. Never rejects: whatever happened is in the entry. */
  async chat(options: ChatOptions): Promise<ClientLogEntry> {
    const label = options.script?.label ?? `${this.name}-${(this.started += 1)}`;
    const entry: ClientLogEntry = {
      label, requestId: null, stream: options.stream ?? false, status: null, completed: false, aborted: false, errorCode: null, failure: null, usage: null,
      cost: null, charge: null, hold: null, chunks: 0, finishReasons: [], startedAtMs: Date.now(), firstChunkAtMs: null, endedAtMs: 0,
    };
    this.entries.push(entry);
    const leaving = new AbortController();
    options.signal?.addEventListener('abort', () => leaving.abort(), { once: true });
    if (options.signal?.aborted) leaving.abort();
    try {
      const answer = await send(`${options.baseUrl}/chat/completions`, {
        method: 'POST',
        dispatcher: this.agent,
        signal: leaving.signal,
        headers: { authorization: `Bearer ${options.apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: options.model ?? 'mock',
          messages: [{ role: 'user', content: instruct({ ...options.script, label }) }],
          ...(options.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
          ...options.body,
        }),
      });
      readHeaders(entry, answer);
      if (options.stream && answer.statusCode === 200) await readStream(entry, answer, options, leaving);
      else readJson(entry, await answer.body.text());
    } catch (error) {
      entry.failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
    entry.aborted = leaving.signal.aborted;
    entry.endedAtMs = Date.now();
    return entry;
  }

  completed(): ClientLogEntry[] {
    return this.entries.filter(({ completed }) => completed);
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }
}

function readHeaders(entry: ClientLogEntry, { statusCode, headers }: Dispatcher.ResponseData): void {
  const header = (name: string): string | null => {
    const value = headers[name];
    return typeof value === 'string' ? value : null;
  };
  entry.status = statusCode;
  entry.requestId = header('x-request-id');
  entry.hold = header('x-kilotoken-hold');
  entry.charge = header('x-kilotoken-charge');
}

function readJson(entry: ClientLogEntry, text: string): void {
  const body = JSON.parse(text) as Chunk;
  if (body.error) entry.errorCode = body.error.code ?? 'none';
  if (entry.status !== 200 || body.error) return;
  readUsage(entry, body, text);
  entry.finishReasons = (body.choices ?? []).flatMap(({ finish_reason }) => finish_reason ?? []);
  entry.completed = entry.finishReasons.length > 0;
}

/** The cost is taken from the text: as a number of JavaScript it would no longer be exact, and the release before printed it as text. */
function readUsage(entry: ClientLogEntry, { usage }: Chunk, text: string): void {
  if (!usage) return;
  entry.usage = { prompt_tokens: usage.prompt_tokens, completion_tokens: usage.completion_tokens };
  entry.cost = /"cost":"?(\d+(?:\.\d+)?)"?[,}]/.exec(text)?.[1] ?? null;
}

async function readStream(entry: ClientLogEntry, answer: Dispatcher.ResponseData, options: ChatOptions, leaving: AbortController): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  let bytes = 0;
  for await (const part of answer.body) {
    bytes += (part as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new Error(`a stream of more than ${BODY_BYTES_MAX} bytes`);
    rest += decoder.decode(part as Buffer, { stream: true });
    const events = rest.split('\n\n');
    rest = events.pop()!;
    for (const event of events) {
      if (!event.startsWith('data: ')) continue;
      const text = event.slice('data: '.length);
      if (text === '[DONE]') {
        entry.completed = entry.finishReasons.length > 0 && entry.errorCode === null;
        continue;
      }
      readChunk(entry, JSON.parse(text) as Chunk, text);
      options.onChunk?.(entry);
      if (options.abortAfterChunks !== undefined && entry.chunks >= options.abortAfterChunks) {
        leaving.abort();
        return;
      }
    }
  }
}

function readChunk(entry: ClientLogEntry, chunk: Chunk, text: string): void {
  if (chunk.error) entry.errorCode = chunk.error.code ?? 'none';
  for (const choice of chunk.choices ?? []) {
    if (choice.delta?.content || choice.text) {
      entry.chunks += 1;
      entry.firstChunkAtMs ??= Date.now();
    }
    if (choice.finish_reason) entry.finishReasons.push(choice.finish_reason);
  }
  readUsage(entry, chunk, text);
}
