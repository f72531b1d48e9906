/**
 * How a request is funded from several units. Pure: production and the interleaving tests run this same code.
 *
 * Every unit's wallet holds what it can, up to the request's worst case in that unit. Once all have answered, the legs are
 * chosen; what they do not need goes back. Where no unit covers the request everything goes back, and it is tried again while
 * something is leased or held that could come back, until the deadline.
 */
import { assert } from './assert.js';
import type { Hold } from './lease.js';
import { chooseLegs, type Holding, type UnitHold, type UnitRequest } from './legs.js';
import type { HoldRequest, Refusal } from './wallet.js';

/** The units that may pay one request: at least one, packs in any order, money last. */
export interface FundingRequest {
  /** Minted with the hold: requests of an organization are funded in the order of their ids. */
  readonly id: string;
  readonly organizationId: string;
  readonly model: string;
  readonly units: readonly [UnitRequest, ...UnitRequest[]];
}

export interface Funding {
  readonly request: FundingRequest;
  readonly deadlineMs: number;
  /** By unit: null while its wallet has not answered this try. */
  answers: (Hold | Refusal | null)[];
  isOver: boolean;
}

export type FundingEffect =
  /** Ask the wallet of every unit, by `remainderOf`. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'release'; readonly unit: UnitHold }
  /** Call `retryFunding` a little later. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'funded'; readonly holding: Holding }
  | { readonly kind: 'refused'; readonly reason: Refusal };

/** Asked of the wallets when a try has failed: whether a unit would cover the request if everything of it came back. */
export type CouldCover = (unit: UnitRequest) => boolean;

export const startFunding = (request: FundingRequest, deadlineMs: number): { readonly funding: Funding; readonly effects: readonly FundingEffect[] } => ({
  funding: { request, deadlineMs, answers: request.units.map(() => null), isOver: false },
  effects: [{ kind: 'hold' }],
});

/** The amounts that a unit's wallet is asked for. */
export const remainderOf = ({ id, model }: FundingRequest, { want }: UnitRequest): HoldRequest => ({ id, model, want, least: 0n, remainder: true });

const isHold = (answer: Hold | Refusal | null): answer is Hold => answer !== null && typeof answer !== 'string';

const unitHold = ({ request }: Funding, of: number, hold: Hold): UnitHold => ({ unit: request.units[of]!.unit, hold });

const releaseAll = (funding: Funding): FundingEffect[] => {
  const held = funding.answers.flatMap((answer, of) => (isHold(answer) ? [{ kind: 'release' as const, unit: unitHold(funding, of, answer) }] : []));
  funding.answers = funding.answers.map(() => null);
  return held;
};

const refuse = (funding: Funding, reason: Refusal): FundingEffect[] => {
  funding.isOver = true;
  return [...releaseAll(funding), { kind: 'refused', reason }];
};

/** The wallet of the unit `of` has answered. */
export const receiveHold = (funding: Funding, of: number, answer: Hold | Refusal, nowMs: number, couldCover: CouldCover): FundingEffect[] => {
  // It was cancelled while this wallet was asked.
  if (funding.isOver) return isHold(answer) ? [{ kind: 'release', unit: unitHold(funding, of, answer) }] : [];
  assert(funding.answers[of] === null, 'a wallet answers each try once');
  funding.answers[of] = answer;
  const { answers } = funding;
  if (answers.includes(null)) return [];
  const refusal = answers.find((one): one is Refusal => typeof one === 'string');
  if (refusal) return refuse(funding, refusal);
  const chosen = chooseLegs(funding.request.units, answers.filter(isHold));
  if (chosen) {
    funding.isOver = true;
    return [...chosen.spare.map((unit) => ({ kind: 'release' as const, unit })), { kind: 'funded', holding: chosen.holding }];
  }
  const released = releaseAll(funding);
  if (!funding.request.units.some((unit) => unit.covers && couldCover(unit))) return [...released, ...refuse(funding, 'insufficient_quota')];
  return [...released, ...(nowMs >= funding.deadlineMs ? refuse(funding, 'balance_held') : [{ kind: 'wait' as const }])];
};

export const retryFunding = (funding: Funding): readonly FundingEffect[] => (funding.isOver ? [] : [{ kind: 'hold' }]);

/** The client left: what is held goes back, and so does what wallets answer later. */
export const cancelFunding = (funding: Funding): FundingEffect[] => {
  if (funding.isOver) return [];
  funding.isOver = true;
  return releaseAll(funding);
};
