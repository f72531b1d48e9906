import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { VendorRequest } from './vendor-contract.js';
import { jsonBody, streamEvents, type VendorAnswer } from './vendor-answer.js';
import { deliverRaw, type RawAnswer } from './vendor-raw.js';
import type { VendorScript } from './vendor-script.js';

/** Sends an answer with the script's faults, and counts what was served: a token counts once its bytes were written. */
export interface Delivery {
  tokens: number;
  textBytes: number;
  /** The last byte of a complete answer was written. */
  complete: boolean;
  /** The stand-in itself broke the connection off. */
  died: boolean;
  /** The usage that was sent, whatever it said. */
  usage: unknown;
}

/** Where answers wait for their test. */
export class Gate {
  private readonly waiting = new Set<() => void>();

  get size(): number {
    return this.waiting.size;
  }

  open(): void {
    for (const go of this.waiting) go();
  }

  /** Until it is opened or the client is gone. */
  async pass(gone: AbortSignal): Promise<void> {
    if (gone.aborted) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.waiting.delete(go);
        gone.removeEventListener('abort', go);
        resolve();
      };
      this.waiting.add(go);
      gone.addEventListener('abort', go, { once: true });
    });
  }
}

/** Bytes that are an SSE stream in name only. */
const GARBAGE = Buffer.from('data: {"choices": [{"delta\n\n\u0000\ufffd: :::\nevent: \ndata: [1, 2\n\ndata: NaN\n\n');

export interface Order {
  request: VendorRequest;
  answer: VendorAnswer;
  script: VendorScript;
  gate: Gate;
}

export async function deliver(response: ServerResponse, order: Order, record: Delivery): Promise<void> {
  const { request, answer, script, gate } = order;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    if (script.firstByteDelayMs) await delay(script.firstByteDelayMs, undefined, { signal: gone.signal });
    if (script.hangBeforeHeaders) return await hang(gone.signal);
    if (script.waitAfterChunks === 0 || (script.waitAfterChunks !== undefined && !request.stream)) await gate.pass(gone.signal);
    if (gone.signal.aborted) return;
    const writer = new Writer(response, script, gone.signal);
    if (script.raw) return await deliverBytes(writer, response, gate, script.raw as RawAnswer, record);
    if (request.stream) await deliverStream(writer, response, order, record);
    else await deliverJson(writer, response, request, answer, script, record);
  } catch (error) {
    // The client went away while the stand-in waited; what was served until then is in the record.
    if (!gone.signal.aborted) throw error;
  }
}

async function deliverBytes(writer: Writer, response: ServerResponse, gate: Gate, raw: RawAnswer, record: Delivery): Promise<void> {
  const write = async (bytes: Buffer): Promise<void> => {
    await writer.write(bytes);
    record.textBytes += bytes.length;
  };
  const ended = await deliverRaw(response, raw, { gone: writer.gone, write, passGate: () => gate.pass(writer.gone), hang: () => hang(writer.gone) });
  record.complete = ended === 'complete';
  record.died = ended === 'died';
}

async function deliverJson(writer: Writer, response: ServerResponse, request: VendorRequest, answer: VendorAnswer, script: VendorScript, record: Delivery): Promise<void> {
  const body = jsonBody(answer, request, script);
  const bytes = script.garbage ? GARBAGE : Buffer.from(JSON.stringify(body));
  response.writeHead(200, { 'content-type': script.contentType ?? 'application/json', 'content-length': bytes.length });
  if (script.dieAfterChunks !== undefined || script.hangAfterChunks !== undefined) {
    await writer.write(bytes.subarray(0, bytes.length >> 1));
    if (script.hangAfterChunks !== undefined) return await hang(writer.gone);
    die(response, record);
    return;
  }
  await writer.write(bytes);
  response.end();
  // Nobody was served by garbage.
  if (script.garbage) return;
  record.tokens = answer.completionTokens;
  record.textBytes = bytes.length;
  record.usage = body['usage'];
  record.complete = true;
}

async function deliverStream(writer: Writer, response: ServerResponse, { request, answer, script, gate }: Order, record: Delivery): Promise<void> {
  response.writeHead(200, { 'content-type': script.contentType ?? 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  response.flushHeaders();
  if (script.garbage) {
    await writer.write(GARBAGE);
    response.end();
    return;
  }
  let chunks = 0;
  for (const { body, tokens } of streamEvents(answer, request, script)) {
    if (tokens > 0) {
      if (chunks === script.dieAfterChunks) return die(response, record);
      if (chunks === script.endAfterChunks) return void response.end();
      if (chunks === script.hangAfterChunks) return await hang(writer.gone);
      if (chunks === script.errorAfterChunks) {
        await writer.write(Buffer.from(`data: ${JSON.stringify({ error: { message: 'The server had an error.', type: 'server_error', code: null, param: null } })}\n\n`));
        response.end();
        return;
      }
      if (chunks > 0 && chunks === script.waitAfterChunks) await gate.pass(writer.gone);
      if (chunks > 0 && script.chunkDelayMs) await delay(script.chunkDelayMs, undefined, { signal: writer.gone });
      chunks += 1;
    }
    if (body['usage'] !== null && body['usage'] !== undefined) record.usage = body['usage'];
    const bytes = Buffer.from(`data: ${JSON.stringify(body)}\n\n`);
    await writer.write(bytes);
    record.tokens += tokens;
    record.textBytes += bytes.length;
  }
  if (!script.noDone) await writer.write(Buffer.from('data: [DONE]\n\n'));
  record.complete = true;
  response.end();
}

function die(response: ServerResponse, record: Delivery): void {
  record.died = true;
  response.socket?.resetAndDestroy();
}

/** Waits for the client to give up: a vendor that hangs never ends by itself. */
const hang = (gone: AbortSignal): Promise<void> =>
  new Promise((resolve) => (gone.aborted ? resolve() : gone.addEventListener('abort', () => resolve(), { once: true })));

class Writer {
  constructor(
    private readonly response: ServerResponse,
    private readonly script: VendorScript,
    readonly gone: AbortSignal,
  ) {}

  /** Resolves when the bytes are in the kernel, so a reader that does not read holds the stand-in back. */
  async write(bytes: Buffer): Promise<void> {
    const step = this.script.splitEveryByte || this.script.slowDripMs !== undefined ? 1 : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      if (this.script.slowDripMs) await delay(this.script.slowDripMs, undefined, { signal: this.gone });
      await this.send(bytes.subarray(at, at + step));
    }
  }

  private send(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(new Error('the client is gone'));
      if (this.gone.aborted) return onAbort();
      this.gone.addEventListener('abort', onAbort, { once: true });
      this.response.write(bytes, (error) => {
        this.gone.removeEventListener('abort', onAbort);
        if (error) reject(error);
        else resolve();
      });
    });
  }
}
