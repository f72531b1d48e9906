import { answerText, openAiErrorBody, usageText } from '@kilotoken/openai';
import { answerIdOf } from '../request/answer-id.js';
import { tryLanes } from './attempts.js';
import { amountsText, billedUsageOf, heldOf } from './billed.js';
import { refusalOf } from './failure.js';
import type { Charge } from '@kilotoken/usage';
import { traceHeader } from './generation-trace.js';
import { createIdleWatch } from './idle-watch.js';
import { droppedHeader, type RelayContext } from './relay-context.js';
import type { StreamAttempt } from './stream.attempt.js';
import { createStreamDelivery, type StreamDelivery } from './stream-delivery.js';
import { envelopeOf, readSaid, runAttempt, type Said, type Streamed } from './stream-run.js';
import { createStreamWriter, type StreamWriter } from './stream-writer.js';
import { describeCharge } from './wide-event.js';

/** A comment, which no SDK shows: proxies and clients see that the connection is in use. */
const heartbeat = ': keep-alive\n\n';

/**
 * Relays a stream. Content leaves as it comes; finish reasons and `[DONE]` wait until the usage row is committed. A stream
 * that cannot be settled ends with an error.
 */
export const answerStream = async (context: RelayContext): Promise<void> => {
  const { generation, client, ending, running, deadlines, limits, nowMs } = context;
  let current: StreamAttempt | null = null;
  let soFar: Said | null = null;
  const paused = { byClient: false, byCheckpoint: false, byFence: false };
  const isPaused = (): boolean => paused.byClient || paused.byCheckpoint || paused.byFence;
  const pause = (reason: keyof typeof paused, isOn: boolean): void => {
    if (paused[reason] === isOn) return;
    paused[reason] = isOn;
    current?.setPaused(isPaused());
  };
  const writer = createStreamWriter(client, {
    headers: { 'x-request-id': generation.id, 'x-kilotoken-hold': amountsText(generation, heldOf(generation)), ...droppedHeader(generation), ...traceHeader(generation), ...generation.limits?.headers() },
    stallMsMax: limits.clientStallMsMax,
    onBlocked: (blocked) => pause('byClient', blocked),
    onWritten: () => silence.touch(),
  });
  const silence = createIdleWatch(deadlines, nowMs, limits.heartbeatMs, () => {
    if (!paused.byClient) writer.write(heartbeat);
    return !client.isGone();
  });
  silence.touch();
  const delivery = createStreamDelivery(writer, context.session, (fenced) => pause('byFence', fenced));
  running.add({
    generation,
    chargeSoFar: () => {
      if (!soFar || generation.attempts.at(-1)?.firstTokenMs == null) return null;
      return ending.chargeSoFar(generation, soFar.lane, context.request, readSaid(soFar, false), soFar.state);
    },
    setPaused: (stale) => pause('byCheckpoint', stale),
    checkpointedAtMs: null,
    ending: false,
  });
  try {
    const outcome = await tryLanes<Streamed>(context, (lane, attempt, deadlineMs) =>
      runAttempt(context, { lane, attempt, deadlineMs, delivery, isPaused, onStarted: (said, stream) => ([soFar, current] = [said, stream]) }),
    );
    if ('answer' in outcome) return await finishStream(context, writer, delivery, outcome.answer);
    const refusal = refusalOf(outcome.failure);
    await ending.endFailed(generation, refusal.status, refusal.code, nowMs());
    // After a heartbeat it is too late for a status.
    if (!writer.begun()) throw refusal;
    client.event['code'] = refusal.code;
    writer.end(errorEvent(refusal.code, refusal.message));
  } finally {
    silence.stop();
    delivery.stop();
  }
};

const errorEvent = (code: Parameters<typeof openAiErrorBody>[0], message: string): string => `data: ${JSON.stringify(openAiErrorBody(code, message))}\n\n`;

const finishStream = async (context: RelayContext, writer: StreamWriter, delivery: StreamDelivery, streamed: Streamed): Promise<void> => {
  const { generation, client, ending, nowMs } = context;
  const { state, withheld, outcome, failure } = streamed;
  if (failure?.notice) context.notices.report(streamed.lane, failure.notice, nowMs());
  const reading = readSaid(streamed, outcome === 'completed');
  ending.keepIgnored(generation, reading, streamed.lastUsage);
  const charging = ending.chargeOf(generation, streamed.lane, context.request, reading, state);
  const charge = charging instanceof Promise ? await charging : charging;
  describeCharge(client.event, generation, charge, outcome);
  try {
    await ending.end(generation, {
      outcome,
      status: outcome === 'client_closed' ? 499 : 200,
      errorCode: outcome === 'client_closed' ? 'client_closed' : (failure?.code ?? null),
      finishReason: state.finishReasons.get(0) ?? (outcome === 'completed' ? 'stop' : null),
      finishedMs: nowMs(),
      charge,
    });
  } catch (error) {
    client.event['code'] = 'settlement_failed';
    client.event['error'] = error;
    return writer.end(errorEvent('settlement_failed', 'The charge of this answer could not be recorded, so it ends here.'));
  }
  if (outcome === 'client_closed') return;
  if (failure) {
    client.event['code'] = failure.code;
    return writer.end(`${delivery.takeKept()}${errorEvent(failure.code, failure.message)}`);
  }
  context.failpoint('before_terminal');
  writer.end(`${delivery.takeKept()}${withheld}${usageEvent(context, charge)}data: [DONE]\n\n`);
};

/** The chunk with the usage and its cost, for a client that asked for it. */
const usageEvent = ({ generation, request }: RelayContext, charge: Charge): string => {
  if (request.params.stream_options?.include_usage !== true) return '';
  const chunk = { ...envelopeOf(generation), id: answerIdOf(generation.id, generation.operation), model: generation.plan.model.id, choices: [] };
  return `data: ${answerText(chunk, {}, usageText(billedUsageOf(generation, charge)))}\n\n`;
};
