import type { Lane } from './lane.js';

/** The problem with a vendor's key, to follow the variable's name in a sentence; null if it can be sent. Never repeats the value. */
export const vendorKeyProblem = (value: string | undefined): string | null => {
  if (value === undefined) return 'is not set';
  if (value === '') return 'is empty';
  if (/[\r\n]/.test(value)) return 'holds a line break';
  if (/\s/.test(value)) return 'holds white space';
  return /^[\x21-\x7e]+$/.test(value) ? null : 'holds a character that cannot be sent in a header';
};

export type KeyedLane = Pick<Lane, 'kind' | 'baseUrl' | 'upstreamModel' | 'keyEnv'>;

export interface LaneKeyProblem<Of extends KeyedLane> {
  readonly lane: Of;
  readonly variable: string;
  readonly problem: string;
}

/** Lanes whose key cannot be sent; `read` looks a variable up. A worker is asked with the internal token and has none. */
export const findKeyProblems = <Of extends KeyedLane>(lanes: Iterable<Of>, read: (variable: string) => string | undefined): LaneKeyProblem<Of>[] => {
  const found: LaneKeyProblem<Of>[] = [];
  for (const lane of lanes) {
    if (lane.kind === 'worker' || lane.keyEnv === null) continue;
    const problem = vendorKeyProblem(read(lane.keyEnv));
    if (problem !== null) found.push({ lane, variable: lane.keyEnv, problem });
  }
  return found;
};

/** For a person: `ACME_KEY is not set: acme-7 at https://api.acme.example/v1 is not tried without it`. */
export const describeKeyProblem = ({ lane, variable, problem }: LaneKeyProblem<KeyedLane>): string => `${variable} ${problem}: ${lane.upstreamModel} at ${lane.baseUrl} is not tried without it`;
