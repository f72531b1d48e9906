import type { Lane } from '@kilotoken/marketplace';
import { timedOut, type Failure } from './failure.js';
import { startAttempt, type RelayContext } from './relay-context.js';
import type { Attempt } from './generation.js';

export type AttemptOutcome<Answer> = { readonly answer: Answer } | { readonly failure: Failure };

/**
 * Tries a request's lanes in their order until one answers, all attempts within one deadline and bounded in number. A lane
 * whose connection broke before anything came is tried once more when it is the only one.
 */
export const tryLanes = async <Answer>(
  context: RelayContext,
  run: (lane: Lane, attempt: Attempt, deadlineMs: number) => Promise<AttemptOutcome<Answer>>,
): Promise<AttemptOutcome<Answer>> => {
  const { generation, limits, nowMs, metrics, notices, client } = context;
  const { lanes, model } = generation.plan;
  // A JSON answer comes when it is whole: only the request's own time bounds it.
  const deadlineMs = generation.admittedMs + (generation.stream ? limits.firstByteMsMax : limits.requestMsMax);
  for (let index = 0; ; index += 1) {
    const lane = lanes[Math.min(index, lanes.length - 1)]!;
    const attempt = startAttempt(context, lane);
    const outcome = await run(lane, attempt, deadlineMs);
    if ('answer' in outcome) return outcome;
    const { failure } = outcome;
    attempt.errorCode = failure.code;
    attempt.endedMs ??= nowMs();
    metrics.failed(model.id, failure.code);
    if (failure.notice) notices.report(lane, failure.notice, nowMs());
    const another = index + 1 < lanes.length || (lanes.length === 1 && index === 0 && failure.broken);
    if (!failure.mayMove || !another || index + 1 >= limits.attemptsMax || client.isGone()) return outcome;
    if (nowMs() >= deadlineMs) return { failure: timedOut() };
  }
};
