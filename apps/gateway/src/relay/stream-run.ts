import { createStreamState, hasPrivateFields, isAnswered, isFinished, observeChunk, type StreamState } from '@kilotoken/openai';
import { createUsageReader, type UsageReader, type UsageReading } from '@kilotoken/contracts';
import type { Lane } from '@kilotoken/marketplace';
import { answerIdOf } from '../request/answer-id.js';
import type { AttemptOutcome } from './attempts.js';
import { usageBoundsOf } from './billed.js';
import { createChunkWriter, type StreamChunk } from './chunk-frame.js';
import { wholeChunk, type StreamEvent } from './event-reader.js';
import { emptyAnswer, endedEarly, failureOfError, malformedAnswer, timedOut, type Failure } from './failure.js';
import type { Attempt, Outcome } from './generation.js';
import { traceparentOf } from './generation-trace.js';
import { createIdleWatch } from './idle-watch.js';
import { pathOf, type RelayContext } from './relay-context.js';
import { createStreamAttempt, type StreamAttempt, type StreamEnd } from './stream.attempt.js';
import type { StreamDelivery } from './stream-delivery.js';
import { createTerminalEvents } from './terminal-events.js';

/** A few chunks with roles precede the first content; a vendor that sends more than this is not answering. */
const openingLengthMax = 1024 * 1024;

/** The state of a stream from one lane. */
export interface Said {
  readonly lane: Lane;
  readonly state: StreamState;
  readonly usage: UsageReader;
  /** The last usage as the vendor sent it. */
  lastUsage: unknown;
}

export interface Streamed extends Said {
  /** Sent after the charge is committed: the finish reasons, and the first chunks of an answer without content. */
  readonly withheld: string;
  readonly outcome: Outcome;
  readonly failure: Failure | null;
}

/**
 * Reads the vendor's counts. Before the end of an answer they are only a floor, except those of our own workers, which send
 * exact counts with every chunk.
 */
export const readSaid = ({ lane, state, usage }: Said, isCompleted: boolean): UsageReading =>
  usage.read(state.generatedLength, lane.kind !== 'worker' && !isCompleted && !isFinished(state));

export interface StreamRun {
  readonly lane: Lane;
  readonly attempt: Attempt;
  readonly deadlineMs: number;
  readonly delivery: StreamDelivery;
  readonly isPaused: () => boolean;
  readonly onStarted: (said: Said, stream: StreamAttempt) => void;
}

/** An event of the client's stream, with our id and model name. */
const createForwarder = ({ generation, request }: RelayContext): ((event: StreamEvent) => string) => {
  const writer = createChunkWriter({
    id: answerIdOf(generation.id, generation.operation),
    model: generation.plan.model.id,
    usage: request.params.stream_options?.include_usage === true ? null : undefined,
  });
  return (event) => `data: ${event.framed && !hasPrivateFields(event.chunk['choices']) ? writer.framed(event.framed) : writer.whole(wholeChunk(event))}\n\n`;
};

/** The fields of a chunk of ours, for what no vendor said. */
export const envelopeOf = ({ operation, admittedMs }: RelayContext['generation']): StreamChunk => ({
  id: '',
  object: operation === 'completions' ? 'text_completion' : 'chat.completion.chunk',
  created: Math.floor(admittedMs / 1000),
  model: '',
});

const hasChoices = ({ choices }: StreamChunk): boolean => Array.isArray(choices) && choices.length > 0;

interface Reading {
  readonly said: Said;
  /** Takes events as they came; answers why the stream is broken off, or null. */
  take(events: readonly StreamEvent[]): Failure | null;
  /** The part that was not sent while the stream ran. */
  withheld(): string;
}

/**
 * Content is sent as it comes. Finish reasons are held back, since they complete the answer; what comes before the first
 * content is held back too, so that another lane can still take over.
 */
const createReading = (context: RelayContext, { lane, attempt, delivery }: StreamRun, onFinished: () => void): Reading => {
  const { generation, nowMs } = context;
  const state = createStreamState(generation.plan.choices);
  const usage = createUsageReader(usageBoundsOf(generation));
  const terminal = createTerminalEvents(state, envelopeOf(generation));
  const forward = createForwarder(context);
  let opening = '';
  let hasContent = false;

  const said: Said = { lane, state, usage, lastUsage: null };
  /** The text of one event for the client, or the failure that it tells. */
  const read = (event: StreamEvent): string | Failure => {
    const { chunk } = event;
    const seen = observeChunk(state, chunk);
    if (seen.kind === 'error') return failureOfError(seen.error, attempt.upstreamStatus ?? 200, [lane.upstreamModel]);
    usage.observeAnswer(chunk, state.generatedLength);
    said.lastUsage = chunk['usage'] ?? said.lastUsage;
    if (seen.generates) hasContent = true;
    if (attempt.firstTokenMs === null && (seen.generates || seen.finishes)) attempt.firstTokenMs = nowMs();
    if ((seen.generates || seen.finishes) && isFinished(state)) onFinished();
    // A chunk without choices says nothing to a client: it is told its usage at the end, with its cost.
    if (!hasChoices(chunk)) return '';
    if (!seen.finishes) return forward(event);
    const rest = terminal.take(wholeChunk(event));
    return rest ? forward({ chunk: rest, framed: null }) : '';
  };

  return {
    said,
    take: (events) => {
      let text = opening;
      let failure: Failure | null = null;
      for (const event of events) {
        const told = read(event);
        if (typeof told !== 'string') {
          failure = told;
          break;
        }
        text += told;
      }
      context.ending.countAhead(generation, lane, state);
      opening = hasContent ? '' : text;
      if (hasContent && text !== '') {
        if (!delivery.begun()) context.failpoint('first_byte');
        delivery.write(text);
      }
      return failure ?? (opening.length > openingLengthMax ? malformedAnswer() : null);
    },
    withheld: () => opening + terminal.chunks().map((chunk) => forward({ chunk, framed: null })).join(''),
  };
};

/** How the client's leaving ends the attempt: at once, or, where its lane allows it, when the vendor has said what it cost. */
const watchClient = ({ client, deadlines, limits }: RelayContext, lane: Lane, stream: StreamAttempt) => {
  const left = { left: false, aborted: false };
  const abort = (): void => {
    left.aborted = true;
    stream.abort();
  };
  let callOff: (() => void) | null = null;
  const stopListening = client.onGone(() => {
    left.left = true;
    if (!lane.drain || !stream.isStarted()) return abort();
    callOff = deadlines.add(limits.drainStreamMsMax, abort);
  });
  return {
    left,
    stop: () => {
      stopListening();
      callOff?.();
    },
  };
};

/** Asks one lane for a stream and relays what it says. */
export const runAttempt = async (context: RelayContext, run: StreamRun): Promise<AttemptOutcome<Streamed>> => {
  const { generation, limits, deadlines, nowMs } = context;
  const { lane, attempt, deadlineMs, delivery, isPaused, onStarted } = run;
  // Before anything that has to be called off: a large body is built elsewhere, and that may fail.
  const made = context.body(lane);
  const body = made instanceof Promise ? await made : made;
  const grace = createIdleWatch(deadlines, nowMs, limits.answerGraceMs, () => {
    // While nothing is read, silence says nothing.
    if (isPaused()) return true;
    stream.abort();
    return false;
  });
  const reading = createReading(context, run, () => grace.touch());
  const stream = createStreamAttempt(attempt, nowMs, (events) => reading.take(events));
  onStarted(reading.said, stream);
  let ranOut = false;
  const expire = (): void => {
    ranOut = true;
    stream.abort();
  };
  const callOffFirst = deadlines.add(deadlineMs - nowMs(), () => attempt.firstTokenMs === null && expire());
  const callOffWhole = deadlines.add(generation.admittedMs + limits.requestMsMax - nowMs(), expire);
  const client = watchClient(context, lane, stream);
  context.lanes.dispatch(lane, pathOf(generation), generation.id, body, stream.handler, traceparentOf(generation));
  const end = await stream.end;
  grace.stop();
  callOffFirst();
  callOffWhole();
  client.stop();
  // The connection of an answer that ended by [DONE] is read to its end, but not for long.
  if (!stream.isClosed()) deadlines.add(limits.answerGraceMs, stream.abort);
  return judge(reading, { end, ranOut, client: client.left, isStarted: stream.isStarted(), begun: delivery.begun() });
};

interface Ended {
  readonly end: StreamEnd;
  readonly ranOut: boolean;
  readonly client: { readonly left: boolean; readonly aborted: boolean };
  readonly isStarted: boolean;
  /** The client was sent content, so no other lane can take over. */
  readonly begun: boolean;
}

/** The outcome of an ended attempt: a complete answer, an interrupted one, or a failure that another lane may make up for. */
const judge = ({ said, withheld }: Reading, { end, ranOut, client, isStarted, begun }: Ended): AttemptOutcome<Streamed> => {
  const answer = (outcome: Outcome, failure: Failure | null): AttemptOutcome<Streamed> => ({
    answer: { ...said, outcome, failure, withheld: outcome === 'completed' ? withheld() : '' },
  });
  const { state } = said;
  const isComplete = end.kind === 'over' ? state.begun.size > 0 || state.generatedLength > 0 : isAnswered(state);
  if (client.left) {
    if (!isStarted) return { failure: endedEarly() };
    // The lane has read the prompt, and what it wrote until now is what is billed; a lane that failed by itself served nothing.
    if (client.aborted || isComplete || begun) return answer('client_closed', null);
  }
  if (isComplete) return answer('completed', null);
  const failure = ranOut ? timedOut() : end.kind === 'over' ? emptyAnswer() : end.kind === 'cut' ? endedEarly() : end.failure;
  return begun ? answer('interrupted', failure) : { failure };
};
