import { answerText, createStreamState, hasPrivateFields, isFinished, observeChunk, openAiErrorBody, usageText, type StreamState } from '@kilotoken/contracts';
import type { Lane } from '@kilotoken/marketplace';
import { formatMoney } from '@kilotoken/money';
import { tryLanes, type AttemptOutcome } from './attempts.js';
import { billedUsageOf } from './billed.js';
import { createChunkWriter, type StreamChunk } from './chunk-frame.js';
import type { StreamEvent } from './event-reader.js';
import { refusalOf, timedOut, type Failure } from './failure.js';
import { isToken } from './first-token.js';
import type { Attempt, Charge, Outcome } from './generation.js';
import { traceHeader, traceparentOf } from './generation-trace.js';
import { publicId } from './json.relay.js';
import { pathOf, type RelayContext } from './relay-context.js';
import { createStreamAttempt } from './stream.attempt.js';
import { createStreamWriter, type StreamWriter } from './stream-writer.js';
import { describeCharge } from './wide-event.js';

/** What is withheld is a few chunks; a vendor that goes on after the end of its answer is cut here. */
const withheldBytesMax = 1024 * 1024;

interface Streamed {
  readonly lane: Lane;
  readonly state: StreamState;
  /** Events from the terminal chunk on: they leave when the charge is committed. */
  readonly withheld: string[];
  readonly outcome: Outcome;
  readonly failure: Failure | null;
}

/**
 * Relays a stream. Chunks leave as they come, up to the one that carries the last open choice's finish reason; that one and
 * everything behind it wait until the usage row is committed. A stream that cannot be settled ends with an error.
 */
export const answerStream = async (context: RelayContext): Promise<void> => {
  const { generation, client, ending, running, nowMs } = context;
  let current: { setPaused(paused: boolean): void } | null = null;
  const paused = { byClient: false, byCheckpoint: false };
  const applyPause = (): void => current?.setPaused(paused.byClient || paused.byCheckpoint);
  const writer = createStreamWriter(client, {
    headers: { 'x-request-id': generation.id, 'x-kilotoken-hold': formatMoney(generation.hold.total), ...traceHeader(generation), ...generation.limits?.headers() },
    stallMsMax: context.limits.clientStallMsMax,
    onBlocked: (blocked) => {
      paused.byClient = blocked;
      applyPause();
    },
  });
  let soFar: { lane: Lane; state: StreamState } | null = null;
  running.add({
    generation,
    chargeSoFar: () => (soFar && generation.attempts.at(-1)?.firstTokenMs != null ? chargeSoFar(context, soFar.lane, soFar.state) : null),
    setPaused: (stale) => {
      if (paused.byCheckpoint === stale) return;
      paused.byCheckpoint = stale;
      applyPause();
    },
    checkpointedAtMs: null,
    ending: false,
  });

  const outcome = await tryLanes<Streamed>(context, async (lane, attempt, deadlineMs) => {
    const state = createStreamState(generation.plan.choices);
    soFar = { lane, state };
    return runAttempt(context, { lane, attempt, deadlineMs, state, writer, onStarted: (started) => (current = started) });
  });
  if ('failure' in outcome) {
    const refusal = refusalOf(outcome.failure);
    await ending.endFailed(generation, refusal.status, refusal.code, nowMs());
    throw refusal;
  }
  await finishStream(context, writer, outcome.answer);
};

interface StreamRun {
  readonly lane: Lane;
  readonly attempt: Attempt;
  readonly deadlineMs: number;
  readonly state: StreamState;
  readonly writer: StreamWriter;
  readonly onStarted: (attempt: { setPaused(paused: boolean): void }) => void;
}

const runAttempt = async (context: RelayContext, { lane, attempt, deadlineMs, state, writer, onStarted }: StreamRun): Promise<AttemptOutcome<Streamed>> => {
  const { generation, client, limits, deadlines, nowMs } = context;
  // Before anything that has to be called off: a large body is built elsewhere, and that may fail.
  const made = context.body(lane);
  const body = made instanceof Promise ? await made : made;
  const withheld: string[] = [];
  let withheldBytes = 0;
  /** What came before the first token: with it the client would be bound to a lane that may still fail. */
  let opening = '';
  let clientLeft = false;
  let ranOut = false;
  const forward = createForwarder(context);

  const stream = createStreamAttempt(attempt, nowMs, (events) => {
    let text = opening;
    opening = '';
    for (const streamed of events) {
      const { chunk } = streamed;
      if (observeChunk(state, chunk).kind === 'error') return false;
      if (attempt.firstTokenMs === null && isToken(chunk)) attempt.firstTokenMs = nowMs();
      // What has no choices says nothing to a client: usage is told with its cost, at the end.
      if (!hasChoices(chunk)) continue;
      const event = forward(streamed);
      if (!isFinished(state)) text += event;
      else {
        withheld.push(event);
        withheldBytes += event.length;
      }
    }
    context.ending.countAhead(generation, lane, state);
    if (attempt.firstTokenMs === null) {
      opening = text;
      return opening.length <= withheldBytesMax;
    }
    if (text !== '') {
      if (!writer.begun()) context.failpoint('first_byte');
      writer.write(text);
    }
    return withheldBytes <= withheldBytesMax;
  });
  onStarted(stream);
  const expire = (): void => {
    ranOut = true;
    stream.abort();
  };
  const callOffFirst = deadlines.add(deadlineMs - nowMs(), () => attempt.firstTokenMs === null && expire());
  const callOffWhole = deadlines.add(generation.admittedMs + limits.requestMsMax - nowMs(), expire);
  const stopListening = client.onGone(() => {
    clientLeft = true;
    stream.abort();
  });
  context.lanes.dispatch(lane, pathOf(generation), generation.id, body, stream.handler, traceparentOf(generation));
  const end = await stream.end;
  callOffFirst();
  callOffWhole();
  stopListening();

  if (end.kind === 'ended' && isFinished(state)) return { answer: { lane, state, withheld, outcome: 'completed', failure: null } };
  if (clientLeft && !stream.isStarted()) return { failure: endedEarly };
  // Whoever asked has gone: the lane has read the prompt, and what it wrote until now is what is billed.
  if (clientLeft) return { answer: { lane, state, withheld: [], outcome: 'client_closed', failure: null } };
  const failure = ranOut ? timedOut() : end.kind === 'ended' ? endedEarly : end.failure;
  if (attempt.firstTokenMs === null) return { failure };
  return { answer: { lane, state, withheld: [], outcome: 'interrupted', failure } };
};

const endedEarly: Failure = {
  code: 'upstream_error',
  message: 'The model ended before its answer was complete.',
  param: null,
  mayMove: false,
  broken: false,
  retryAfter: null,
  clientLeft: false,
  notice: null,
};

/** A chunk as the client sees it: under our id and model name, with usage only where it asked for it, and then last. */
const createForwarder = ({ generation, request }: RelayContext): ((event: StreamEvent) => string) => {
  const writer = createChunkWriter({
    id: publicId(generation.id, generation.operation),
    model: generation.plan.model.id,
    usage: request.params.stream_options?.include_usage === true ? null : undefined,
  });
  return ({ chunk, framed }) => {
    if (!framed) return `data: ${writer.whole(chunk)}\n\n`;
    return `data: ${hasPrivateFields(chunk['choices']) ? writer.whole({ ...framed.frame.fields, ...chunk }) : writer.framed(framed)}\n\n`;
  };
};

/**
 * What the stream is worth. Usage counts when it came with the end; before that only our own workers' does, which say
 * exact counts with every chunk. All else is estimated over what was forwarded.
 */
const chargeOf = ({ generation, request, ending }: RelayContext, lane: Lane, state: StreamState, outcome: Outcome): Charge | Promise<Charge> => {
  const trusted = lane.kind === 'worker' || (outcome === 'completed' && state.usageIsFinal);
  return ending.chargeOf(generation, lane, request, trusted ? state.usage : null, state);
};

/** What a checkpoint can know at once. */
const chargeSoFar = ({ generation, request, ending }: RelayContext, lane: Lane, state: StreamState): Charge | null =>
  ending.chargeSoFar(generation, lane, request, lane.kind === 'worker' ? state.usage : null, state);

const hasChoices = ({ choices }: StreamChunk): boolean => Array.isArray(choices) && choices.length > 0;

const finishStream = async (context: RelayContext, writer: StreamWriter, streamed: Streamed): Promise<void> => {
  const { generation, client, ending, nowMs } = context;
  const { lane, state, withheld, outcome, failure } = streamed;
  const charging = chargeOf(context, lane, state, outcome);
  const charge = charging instanceof Promise ? await charging : charging;
  const fail = (code: Parameters<typeof openAiErrorBody>[0], message: string): void => writer.end(`data: ${JSON.stringify(openAiErrorBody(code, message))}\n\n`);
  describeCharge(client.event, generation, charge, outcome);
  try {
    await ending.end(generation, {
      outcome,
      status: outcome === 'client_closed' ? 499 : 200,
      errorCode: outcome === 'client_closed' ? 'client_closed' : (failure?.code ?? null),
      finishReason: state.finishReasons.get(0) ?? null,
      finishedMs: nowMs(),
      charge,
    });
  } catch (error) {
    client.event['code'] = 'settlement_failed';
    client.event['error'] = error;
    return fail('settlement_failed', 'The charge of this answer could not be recorded, so it ends here.');
  }
  if (failure) {
    client.event['code'] = failure.code;
    return fail(failure.code, failure.message);
  }
  if (outcome === 'client_closed') return;
  context.failpoint('before_terminal');
  writer.end(`${withheld.join('')}${usageEvent(context, charge)}data: [DONE]\n\n`);
};

/** The chunk with the usage and its cost, for a client that asked for it. */
const usageEvent = ({ generation, request }: RelayContext, charge: Charge): string => {
  if (request.params.stream_options?.include_usage !== true) return '';
  const chunk = {
    id: publicId(generation.id, generation.operation),
    object: generation.operation === 'completions' ? 'text_completion' : 'chat.completion.chunk',
    created: Math.floor(generation.admittedMs / 1000),
    model: generation.plan.model.id,
    choices: [],
  };
  return `data: ${answerText(chunk, {}, usageText(billedUsageOf(generation, charge)))}\n\n`;
};
