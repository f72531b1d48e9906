import { findKeyProblems, type Catalogue, type Lane } from '@kilotoken/marketplace';
import { Refusal } from '../request/refusal.js';

/** Lanes that one warning names; the count says how many there are. */
const namedMax = 50;

/** Knows which lanes of the catalogue have a key that can be sent: the others are not tried. */
export interface LaneKeys {
  load(catalogue: Catalogue): void;
  /** Throws a Refusal where none of them has. */
  usable(lanes: readonly Lane[], modelId: string): readonly Lane[];
}

export const createLaneKeys = (readKey: (variable: string) => string | undefined, warn: (fields: Readonly<Record<string, unknown>>) => void): LaneKeys => {
  let unusable: ReadonlySet<Lane> = new Set();
  let warned = '[]';
  return {
    load: ({ models }) => {
      const problems = findKeyProblems([...models.values()].flatMap(({ lanes }) => lanes), readKey);
      unusable = new Set(problems.map(({ lane }) => lane));
      const lanes = problems.slice(0, namedMax).map(({ lane, variable, problem }) => ({ laneId: lane.id, model: lane.modelId, upstreamModel: lane.upstreamModel, variable, problem }));
      // The catalogue is loaded again with every change of a price: what was said once is not said again.
      const said = JSON.stringify(lanes);
      if (said !== warned && lanes.length > 0) warn({ event: 'lane.keys_unusable', count: problems.length, lanes });
      warned = said;
    },
    usable: (lanes, modelId) => {
      if (unusable.size === 0 || !lanes.some((lane) => unusable.has(lane))) return lanes;
      const rest = lanes.filter((lane) => !unusable.has(lane));
      if (rest.length === 0) throw new Refusal('lane_unavailable', `The model '${modelId}' is not available at the moment.`);
      return rest;
    },
  };
};
