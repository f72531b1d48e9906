import { AppError, type Clock } from '@kilotoken/platform';
import { createDispatchQueue, type DispatchLimits, type DispatchState, type Unit } from './dispatch.js';
import type { Engine, FinishReason, GenerationRequest, Run, RunSink, TokenUsage } from './engine.js';

/** Queues requests for one engine and runs them in the order that `dispatch.ts` decides. */
export interface GenerationSink {
  /** The first run of the request entered the batch. Nothing is told before. */
  started(queueMs: number): void;
  text(choice: number, text: string): void;
  finish(choice: number, reason: FinishReason): void;
}

export interface Generation {
  /** Exact at every moment, also after a cancellation; null while the engine's server has not said. */
  usage(): TokenUsage | null;
  /**
   * Resolves when all choices are finished or the signal was aborted; rejects with an AppError when the engine failed.
   * By then nothing of the request is left in the engine.
   */
  readonly ended: Promise<void>;
}

export interface Dispatcher {
  readonly engine: Engine;
  /** Nothing is told before it has returned. Throws an AppError: what cannot be answered, `queue_full` (429), `server_draining` (503). */
  generate(request: GenerationRequest, sink: GenerationSink, signal: AbortSignal): Generation;
  state(): DispatchState;
  /** Refuses what is new, and resolves when all that was admitted has ended. */
  drain(): Promise<void>;
}

/** A request whose runs have not all ended. */
interface OpenRequest {
  readonly sink: GenerationSink;
  readonly cancel: AbortController;
  readonly queuedMs: number;
  readonly settle: () => void;
  started: boolean;
  runsLeft: number;
  failure: unknown;
}

/** The unit of the queue: a run, whose it is, and its counts so far. */
interface Ticket extends Unit {
  readonly run: Run;
  readonly request: OpenRequest;
  running: boolean;
  usage: TokenUsage | null;
}

const refusals = {
  queue_full: { code: 'queue_full', kind: 'exhausted', publicMessage: 'The model is at capacity and its queue is full. Try again shortly.' },
  too_large: { code: 'unsupported_value', kind: 'invalid', publicMessage: 'The request asks for more choices or tokens than this engine and its queue can hold.' },
  draining: { code: 'server_draining', kind: 'unavailable', publicMessage: 'This worker is stopping. Try again.' },
} as const;

export const createDispatcher = (engine: Engine, limits: DispatchLimits, clock: Clock): Dispatcher => {
  const queue = createDispatchQueue<Ticket>(limits);
  const unended = new Set<Promise<void>>();
  let draining = false;

  const startNext = (): void => queue.start().forEach((ticket) => void run(ticket));

  const leave = (ticket: Ticket): void => {
    if (!queue.end(ticket)) return;
    ticket.request.runsLeft -= 1;
    if (ticket.request.runsLeft === 0) ticket.request.settle();
    startNext();
  };

  const run = async (ticket: Ticket): Promise<void> => {
    const { request } = ticket;
    ticket.running = true;
    try {
      if (!request.started) {
        request.started = true;
        request.sink.started(clock.monotonicMs() - request.queuedMs);
      }
      await engine.run(ticket.run, sinkOf(ticket), request.cancel.signal);
    } catch (error) {
      // One failed run ends the whole request: its others would go on for nobody.
      request.failure ??= error;
      request.cancel.abort();
    } finally {
      leave(ticket);
    }
  };

  const generate = (asked: GenerationRequest, sink: GenerationSink, signal: AbortSignal): Generation => {
    if (draining) throw new AppError(refusals.draining);
    const plan = engine.plan(asked);
    const { request, settled } = openRequest(sink, plan.runs.length, clock.monotonicMs());
    const tickets = plan.runs.map((planned): Ticket => {
      const { sequences, kvTokens } = planned;
      return { run: planned, sequences, kvTokens, request, running: false, usage: null };
    });
    const admission = queue.admit(tickets);
    if (!admission.admitted) throw new AppError(refusals[admission.reason]);

    // A running request leaves when the engine has stopped it, a waiting one at once.
    request.cancel.signal.addEventListener('abort', () => tickets.filter(({ running }) => !running).forEach(leave), { once: true });
    const cancel = (): void => request.cancel.abort();
    signal.addEventListener('abort', cancel, { once: true });
    const ended = settled.then(() => {
      signal.removeEventListener('abort', cancel);
      unended.delete(ended);
      if (request.failure !== undefined) throw request.failure;
    });
    unended.add(ended);
    if (signal.aborted) cancel();
    // Not in this turn: an engine may answer at once, and whoever asked must know the generation before it is told of it.
    queueMicrotask(startNext);
    return { usage: () => sumUsage(plan.promptTokens, tickets), ended };
  };

  return {
    engine,
    generate,
    state: queue.state,
    drain: async () => {
      draining = true;
      await Promise.allSettled(unended);
    },
  };
};

const openRequest = (sink: GenerationSink, runsLeft: number, queuedMs: number): { request: OpenRequest; settled: Promise<void> } => {
  let settle!: () => void;
  const settled = new Promise<void>((resolve) => (settle = resolve));
  return { request: { sink, cancel: new AbortController(), queuedMs, settle, started: false, runsLeft, failure: undefined }, settled };
};

const sinkOf = (ticket: Ticket): RunSink => {
  const { sink } = ticket.request;
  return {
    usage: (usage) => {
      ticket.usage = usage;
    },
    text: (choice, text) => sink.text(choice, text),
    finish: (choice, reason) => sink.finish(choice, reason),
  };
};

/** In process the prompt was counted once for all choices; elsewhere the server's own counts are all there is. */
const sumUsage = (promptTokens: number | null, tickets: readonly Ticket[]): TokenUsage | null => {
  if (promptTokens === null) return tickets.length === 1 ? tickets[0]!.usage : null;
  return { promptTokens, completionTokens: tickets.reduce((sum, { usage }) => sum + (usage?.completionTokens ?? 0), 0) };
};
