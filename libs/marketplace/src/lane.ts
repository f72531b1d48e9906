import { z } from 'zod';
import { baseCapabilities, type TokenClass, tokenClasses } from '@kilotoken/contracts';
import { parseMoney, type Money } from '@kilotoken/money';

/**
 * A lane is one way to have a model answered: a vendor's endpoint or one of our own workers, with what it costs us, what
 * it can do, which token classes its usage may hold, and how long we wait for it. A model's lanes are tried in their order.
 */
export const laneKinds = ['openai', 'worker'] as const;
export type LaneKind = (typeof laneKinds)[number];

/** We owe `rates[class] ÷ per` for one token of a class; an absent or null class has no known cost. */
export interface LaneCost {
  readonly currency: string;
  readonly per: bigint;
  readonly rates: Partial<Record<TokenClass, Money | null>>;
}

export interface LaneTimeouts {
  /** Until the connection stands. */
  readonly connectMs: number;
  /** From the dispatched request to the first byte of a stream. */
  readonly firstByteMs: number;
  /** Between two bytes of a stream. */
  readonly idleMs: number;
  /** From the dispatched request to the first byte of a JSON answer, which comes when it is whole, and between two bytes of it. */
  readonly answerMs: number;
}

export interface Lane {
  readonly id: string;
  readonly modelId: string;
  readonly position: number;
  readonly kind: LaneKind;
  /** Without a slash at its end; paths such as `/chat/completions` are put behind it. */
  readonly baseUrl: string;
  /** The vendor's name for the model. */
  readonly upstreamModel: string;
  /** The environment variable that holds the vendor's key. */
  readonly keyEnv: string | null;
  readonly cost: LaneCost;
  /** All that it honours, what lanes have unless they say otherwise included. */
  readonly capabilities: ReadonlySet<string>;
  readonly tokenClasses: ReadonlySet<TokenClass>;
  /** Counts tokens where the vendor gives no usage. */
  readonly tokenizer: string;
  readonly timeouts: LaneTimeouts;
  /** Whether the vendor is read to the end of its answer, for its true usage, after the client has left the stream. */
  readonly drain: boolean;
}

/** A lane as somebody declares it, before it has an id and a place among the lanes of a model. */
export type LaneOffer = Omit<Lane, 'id' | 'modelId' | 'position'>;

/** The columns `lane.capabilities` and `lane.lacks`: a lane has what every lane has but for what it lacks. */
export const capabilitiesOf = (row: { readonly capabilities: readonly string[]; readonly lacks: readonly string[] }): ReadonlySet<string> =>
  new Set([...baseCapabilities, ...row.capabilities].filter((name) => !row.lacks.includes(name)));

export const lacksOf = ({ capabilities }: Pick<LaneOffer, 'capabilities'>): string[] => baseCapabilities.filter((name) => !capabilities.has(name));

const timeoutMsMax = 600_000;

const timeoutMs = (fallback: number) => z.int('must be a whole number of milliseconds').min(1).max(timeoutMsMax).default(fallback);

/** The column `lane.timeouts`; what is absent has these defaults. What a newer version adds an older one leaves aside. */
export const laneTimeoutsSchema = z.object({
  connectMs: timeoutMs(5_000),
  firstByteMs: timeoutMs(120_000),
  idleMs: timeoutMs(60_000),
  answerMs: timeoutMs(600_000),
});

/** The column `lane.cost_rates`: exact decimal strings by token class. */
export const costRatesSchema = z.partialRecord(z.enum(tokenClasses), z.string().transform(parseMoney).nullable());
