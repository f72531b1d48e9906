import type { Lane } from '@kilotoken/marketplace';
import type { OperatorNotice } from './failure.js';
import { operatorText } from './vendor-text.js';

/** One lane fails as often as it is asked: one line a minute says it, with how many were left out. */
const silenceMs = 60_000;
/** Lanes come and go with the catalogue: those that are not heard of any more are forgotten. */
const rememberedMax = 1_000;

export interface LaneNoticeLog {
  warn(fields: Readonly<Record<string, unknown>>): void;
  count(lane: Lane, kind: OperatorNotice['kind']): void;
  /** The lane's key, which must never be logged. */
  secretsOf(lane: Lane): readonly string[];
}

/** Tells operators what their vendors say of their account, since customers are told nothing of it. */
export interface LaneNotices {
  report(lane: Lane, notice: OperatorNotice, nowMs: number): void;
}

interface Said {
  atMs: number;
  leftOut: number;
}

export const createLaneNotices = ({ warn, count, secretsOf }: LaneNoticeLog): LaneNotices => {
  const said = new Map<string, Said>();
  return {
    report: (lane, notice, nowMs) => {
      count(lane, notice.kind);
      const name = `${lane.id} ${notice.kind}`;
      const last = said.get(name);
      if (last && nowMs - last.atMs < silenceMs) {
        last.leftOut += 1;
        return;
      }
      if (said.size >= rememberedMax) said.clear();
      said.set(name, { atMs: nowMs, leftOut: 0 });
      warn({
        event: 'lane.refused_us',
        kind: notice.kind,
        laneId: lane.id,
        model: lane.modelId,
        upstreamModel: lane.upstreamModel,
        baseUrl: lane.baseUrl,
        upstreamStatus: notice.status,
        text: operatorText(notice.text, secretsOf(lane)),
        leftOut: last?.leftOut ?? 0,
      });
    },
  };
};
