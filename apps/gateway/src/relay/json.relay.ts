import { answerText, createStreamState, observeChunk, type StreamState, usageText } from '@kilotoken/openai';
import { createUsageReader, nothingRead } from '@kilotoken/contracts';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Lane } from '@kilotoken/marketplace';
import type { Charge } from '@kilotoken/usage';
import { answerIdOf } from '../request/answer-id.js';
import { tryLanes, type AttemptOutcome } from './attempts.js';
import { createAnswerBytes, type AnswerBytes } from './answer-bytes.js';
import { amountsText, billedUsageOf, chargesOf, heldOf, usageBoundsOf } from './billed.js';
import { emptyAnswer, failureOfError, noRoom, refusalOf, timedOut } from './failure.js';
import type { Attempt } from './generation.js';
import { traceHeader, traceparentOf } from './generation-trace.js';
import { createIdleWatch } from './idle-watch.js';
import { answerBytesOf, createJsonAttempt, type JsonAnswer } from './json.attempt.js';
import { droppedHeader, pathOf, type RelayContext } from './relay-context.js';
import { describeCharge } from './wide-event.js';

interface Answered {
  readonly lane: Lane;
  readonly answer: JsonAnswer;
  readonly state: StreamState;
  readonly bytes: AnswerBytes;
}

/**
 * Answers with one JSON body, which leaves only after its usage row is committed. A client that left is waited for no
 * longer than `drainJsonMsMax`: what the lane then completes is billed as completed.
 */
export const answerJson = async (context: RelayContext): Promise<void> => {
  const { generation, ending, running, nowMs } = context;
  running.add({ generation, chargeSoFar: () => null, checkpointedAtMs: null, ending: false });
  const outcome = await tryLanes(context, (lane, attempt, deadlineMs) => runAttempt(context, lane, attempt, deadlineMs));

  if ('failure' in outcome) {
    const refusal = refusalOf(outcome.failure);
    if (outcome.failure.clientLeft) return endAbandoned(context);
    await ending.endFailed(generation, refusal.status, refusal.code, nowMs());
    throw refusal;
  }
  const { bytes } = outcome.answer;
  try {
    await settleAndSend(context, outcome.answer);
  } catch (error) {
    bytes.release();
    throw error;
  }
};

const settleAndSend = async (context: RelayContext, { lane, answer, state, bytes }: Answered): Promise<void> => {
  const { generation, client, ending, nowMs } = context;
  const usage = createUsageReader(usageBoundsOf(generation));
  usage.observeAnswer(answer, state.generatedLength);
  const reading = usage.read(state.generatedLength);
  ending.keepIgnored(generation, reading, answer['usage']);
  const charging = ending.chargeOf(generation, lane, context.request, reading, state);
  const charge = charging instanceof Promise ? await charging : charging;
  const finishReason = state.finishReasons.get(0) ?? 'stop';
  await ending.end(generation, { outcome: 'completed', status: 200, errorCode: null, finishReason, finishedMs: nowMs(), charge });
  describeCharge(client.event, generation, charge, 'completed');
  context.failpoint('before_terminal');
  send(context, answer, charge, bytes);
};

/** A whole answer reads like a stream of one chunk. One without text and without a finish reason is none, nor is an error of status 200. */
const judge = (context: RelayContext, lane: Lane, answer: JsonAnswer, bytes: AnswerBytes): AttemptOutcome<Answered> => {
  const state = createStreamState(context.generation.plan.choices);
  const seen = observeChunk(state, answer);
  if (seen.kind === 'error') return { failure: failureOfError(seen.error, 200, [lane.upstreamModel]) };
  if (state.begun.size === 0 && state.generatedLength === 0) return { failure: emptyAnswer() };
  for (const choice of answer['choices'] as (Record<string, unknown> | null)[]) if (choice) choice['finish_reason'] ||= 'stop';
  return { answer: { lane, answer, state, bytes } };
};

const runAttempt = async (context: RelayContext, lane: Lane, attempt: Attempt, deadlineMs: number): Promise<AttemptOutcome<Answered>> => {
  const { generation, client, limits, deadlines, nowMs } = context;
  // Before anything that has to be called off: a large body is built elsewhere, and that may fail.
  const made = context.body(lane);
  const body = made instanceof Promise ? await made : made;
  const grace = createIdleWatch(deadlines, nowMs, limits.answerGraceMs, () => {
    json.takeIfWhole();
    return false;
  });
  const bytes = createAnswerBytes(context.meter, generation.caller);
  const json = createJsonAttempt(attempt, answerBytesOf(generation.plan.choices * generation.maxTokens), nowMs, (length) => {
    grace.touch();
    return bytes.grow(length) ? null : noRoom();
  });
  let clientLeft = false;
  let drain: NodeJS.Timeout | undefined;
  const callOff = deadlines.add(deadlineMs - nowMs(), json.abort);
  const stopListening = client.onGone(() => {
    drain = setTimeout(() => {
      clientLeft = true;
      json.abort();
    }, limits.drainJsonMsMax);
  });
  const wholeMs = { firstByteMs: lane.timeouts.answerMs, idleMs: lane.timeouts.answerMs };
  context.lanes.dispatch(lane, pathOf(generation), generation.id, body, json.handler, traceparentOf(generation), wholeMs);
  let judged: AttemptOutcome<Answered> | null = null;
  try {
    const outcome = await json.outcome;
    if ('answer' in outcome) {
      context.failpoint('first_byte');
      return (judged = judge(context, lane, outcome.answer, bytes));
    }
    if (clientLeft && json.isStarted()) return { failure: { ...outcome.failure, mayMove: false, clientLeft: true } };
    return nowMs() >= deadlineMs ? { failure: timedOut() } : outcome;
  } finally {
    if (!judged || 'failure' in judged) bytes.release();
    callOff();
    grace.stop();
    clearTimeout(drain);
    stopListening();
  }
};

/** The client left and the lane did not end in time: it has read the prompt, and nothing else is known of it. */
const endAbandoned = async (context: RelayContext): Promise<void> => {
  const { generation, ending, nowMs, client } = context;
  const { lane } = generation.attempts.at(-1)!;
  const charge = await ending.chargeOf(generation, lane, context.request, nothingRead, null);
  await ending.end(generation, { outcome: 'client_closed', status: 499, errorCode: 'client_closed', finishReason: null, finishedMs: nowMs(), charge });
  describeCharge(client.event, generation, charge, 'client_closed');
};

const send = ({ generation, client, ending, deadlines, limits }: RelayContext, answer: JsonAnswer, charge: Charge, bytes: AnswerBytes): void => {
  if (client.isGone()) return bytes.release();
  const own = { id: answerIdOf(generation.id, generation.operation), model: generation.plan.model.id };
  // A text leaves in one write with its head; a Buffer would be gathered with it.
  const body = answerText(answer, own, usageText(billedUsageOf(generation, charge)));
  const balance = ending.balance(generation);
  const headers: OutgoingHttpHeaders = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-request-id': generation.id,
    'x-kilotoken-hold': amountsText(generation, heldOf(generation)),
    'x-kilotoken-charge': amountsText(generation, chargesOf(generation, charge)),
  };
  if (balance !== null) headers['x-kilotoken-balance'] = balance;
  if (generation.plan.dropped.length > 0) Object.assign(headers, droppedHeader(generation));
  if (generation.limits) Object.assign(headers, generation.limits.headers());
  if (generation.trace) Object.assign(headers, traceHeader(generation));
  const { response } = client;
  if (bytes.isReserved()) response.once('close', bytes.release);
  response.writeHead(200, headers);
  response.end(body);
  // The kernel holds the bytes that it took at once; a client that does not take the rest in time is cut.
  if (response.writableLength === 0) return;
  const callOff = deadlines.add(limits.clientStallMsMax, () => response.destroy());
  response.once('close', callOff);
};
