import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { z } from 'zod';
import { planAnswer } from './vendor-answer.js';
import { readVendorRequest, type VendorOperation, type VendorRequest } from './vendor-contract.js';
import { deliver, Gate, type Delivery } from './vendor-delivery.js';
import { controlSchema, readInstruction, type VendorControl, type VendorScript } from './vendor-script.js';

/**
 * A strict stand-in of a vendor with OpenAI's API: it refuses what a vendor refuses, does on request what vendors do
 * wrong (`vendor-script.ts`), counts by a rule that tests can compute (`vendor-answer.ts`), and keeps the vendor's log,
 * one of the three that I10 compares.
 */

export interface VendorLogEntry extends Delivery {
  /** The response's id, which the gateway stores as `upstream_id`. */
  id: string;
  label: string | null;
  /** `x-request-id` as it arrived. */
  requestId: string | null;
  model: string;
  stream: boolean;
  promptTokens: number;
  status: number;
  startedAtMs: number;
  endedAtMs: number | null;
  /** The client closed the connection before the answer's end. */
  abortedByClient: boolean;
}

export interface VendorOptions {
  host?: string;
  port?: number;
  /** Without a key the stand-in needs none, and refuses to be given a customer's. */
  key?: string;
  /** JSON lines, one for each request when it has ended. */
  logFile?: string;
  control?: VendorControl;
}

export interface Vendor {
  /** Ends in /v1. */
  baseUrl: string;
  port: number;
  /** In order of arrival, running ones included. */
  log(): VendorLogEntry[];
  /** What a vendor must never see: each is a bug of its client. */
  violations(): string[];
  connectionsAccepted(): number;
  control(control: VendorControl): void;
  /** Answers that wait for their test (`waitAfterChunks`). */
  waiting(): number;
  /** Lets those go on that wait now. */
  letGo(): void;
  /** Forgets the log, the violations and the scripts. */
  reset(): void;
  /** Cuts every connection and stops listening. */
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024 * 1024;
const LOG_ENTRIES_MAX = 1_000_000;
const CUSTOMER_KEY = /kt_live_/;
const operations: Record<string, VendorOperation> = { '/v1/chat/completions': 'chat', '/v1/completions': 'completion' };

/** By its code alone: within Jest an error of Node's is no instance of the test's own Error. */
const isLostConnection = (error: unknown): boolean => ['EPIPE', 'ECONNRESET'].includes(String((error as NodeJS.ErrnoException).code));

export async function startVendor(options: VendorOptions = {}): Promise<Vendor> {
  const state = new VendorState(options);
  const sockets = new Set<Socket>();
  const server = createServer({ keepAliveTimeout: 60_000, noDelay: true }, (request, response) => {
    state.answer(request, response).catch((error: unknown) => {
      // A client that died while it was written to is no failure of the stand-in.
      if (!isLostConnection(error)) state.violations.push(`the stand-in failed: ${error instanceof Error ? error.stack : String(error)}`);
      response.destroy();
    });
  });
  server.on('connection', (socket) => {
    state.connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://${options.host ?? '127.0.0.1'}:${port}/v1`,
    port,
    log: () => state.entries,
    violations: () => state.violations,
    connectionsAccepted: () => state.connections,
    control: (control) => state.setControl(control),
    waiting: () => state.gate.size,
    letGo: () => state.gate.open(),
    reset: () => state.reset(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const listen = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });

class VendorState {
  entries: VendorLogEntry[] = [];
  violations: string[] = [];
  connections = 0;
  readonly gate = new Gate();
  private answers = 0;
  /** Two vendors never give the same id. */
  private readonly name = randomBytes(4).toString('hex');
  private readonly failuresByName = new Map<string, number>();
  private scripts: { all: VendorScript; models: Record<string, VendorScript> } = { all: {}, models: {} };

  constructor(private readonly options: VendorOptions) {
    if (options.control) this.setControl(options.control);
  }

  setControl(control: VendorControl): void {
    const { all, models } = controlSchema.parse(control);
    this.scripts = { all: all ?? {}, models: models ?? {} };
    this.failuresByName.clear();
  }

  reset(): void {
    this.entries = [];
    this.violations = [];
    this.setControl(this.options.control ?? {});
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (request.method === 'POST' && path === '/_control') {
      this.setControl(controlSchema.parse(JSON.parse((await readBody(request)).toString())));
      response.writeHead(204).end();
      return;
    }
    const operation = operations[path];
    if (!operation || request.method !== 'POST') return this.refuse(response, 404, `no such endpoint: ${request.method} ${path}`);
    const body = await readBody(request);
    this.inspectHeaders(request);
    if (this.options.key !== undefined && request.headers.authorization !== `Bearer ${this.options.key}`) {
      return this.refuse(response, 401, 'wrong API key');
    }
    let asked: VendorRequest;
    let script: VendorScript;
    try {
      asked = readVendorRequest(operation, JSON.parse(body.toString('utf8')));
      script = { ...this.scripts.all, ...this.scripts.models[asked.model], ...readInstruction(asked.instruction) };
    } catch (error) {
      return this.refuse(response, 400, error instanceof z.ZodError ? z.prettifyError(error) : String(error));
    }
    if (asked.stream && !asked.includeUsage) return this.refuse(response, 400, 'a stream without stream_options.include_usage cannot be billed');
    await this.serve(request, response, asked, script);
  }

  private async serve(request: IncomingMessage, response: ServerResponse, asked: VendorRequest, script: VendorScript): Promise<void> {
    const answer = planAnswer(`chatcmpl-${this.name}-${(this.answers += 1)}`, asked, script);
    const entry: VendorLogEntry = {
      id: answer.id,
      label: script.label ?? null,
      requestId: headerOf(request, 'x-request-id'),
      model: asked.model,
      stream: asked.stream,
      promptTokens: answer.promptTokens,
      tokens: 0,
      textBytes: 0,
      complete: false,
      died: false,
      usage: null,
      status: 200,
      startedAtMs: Date.now(),
      endedAtMs: null,
      abortedByClient: false,
    };
    if (this.entries.length >= LOG_ENTRIES_MAX) throw new Error(`more than ${LOG_ENTRIES_MAX} requests: reset the stand-in between measurements`);
    this.entries.push(entry);
    response.once('close', () => {
      entry.endedAtMs = Date.now();
      entry.abortedByClient = !response.writableEnded && !entry.died;
      if (this.options.logFile) appendFileSync(this.options.logFile, `${JSON.stringify(entry)}\n`);
    });
    if (script.status !== undefined && script.status !== 200 && this.mayFail(script, asked)) {
      entry.status = script.status;
      response.writeHead(script.status, { 'content-type': 'application/json', ...(script.retryAfter ? { 'retry-after': script.retryAfter } : {}) });
      response.end(errorBody(`scripted ${script.status}`, script.status === 429 ? 'rate_limit_exceeded' : 'server_error', script.errorCode));
      return;
    }
    await deliver(response, { request: asked, answer, script, gate: this.gate }, entry);
  }

  private mayFail(script: VendorScript, asked: VendorRequest): boolean {
    if (script.failures === undefined) return true;
    const name = script.label ?? asked.model;
    const failed = this.failuresByName.get(name) ?? 0;
    this.failuresByName.set(name, failed + 1);
    return failed < script.failures;
  }

  /** Our customers' keys and labels are none of a vendor's business. */
  private inspectHeaders(request: IncomingMessage): void {
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      const [name, value] = [request.rawHeaders[index]!.toLowerCase(), request.rawHeaders[index + 1]!];
      if (CUSTOMER_KEY.test(value)) this.violations.push(`a customer's key reached the vendor in ${name}`);
      if (['cookie', 'x-forwarded-for', 'openai-organization', 'openai-project'].includes(name)) this.violations.push(`the header ${name} of a customer reached the vendor`);
    }
    if (this.options.key === undefined && request.headers.authorization !== undefined) this.violations.push('an authorization was sent to a vendor that has no key');
  }

  private refuse(response: ServerResponse, status: number, message: string): void {
    this.violations.push(`${status}: ${message}`);
    response.writeHead(status, { 'content-type': 'application/json' }).end(errorBody(message, 'invalid_request_error'));
  }
}

const errorBody = (message: string, type: string, code: string | null = null): string => JSON.stringify({ error: { message, type, param: null, code } });

const headerOf = (request: IncomingMessage, name: string): string | null => {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
};

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new Error(`a body of more than ${BODY_BYTES_MAX} bytes`);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}
