import { shareBatch } from './batch.js';

/**
 * Drives many sequences in step: every step is one decode that holds a token of each sequence that generates and parts of
 * the prompts that are new. Sequences join and leave between steps.
 *
 * Left to themselves, sequences that ask for their next token as soon as they have one fall out of step: the decode starts
 * with whoever asked first, and the others make a second one. Two decodes of half the sequences cost nearly as much as two
 * of all of them. So the loop asks for all at once and waits for all.
 *
 * Telling somebody of a token (a write to a socket, and the processes that it wakes) takes a good part of a millisecond,
 * and the next decode must not wait for it: what a step made is told while the next one computes.
 */
export interface StepSequence {
  /** Sequences are asked in this order: llama.cpp computes those of neighbouring rows together, and others one after the other. */
  readonly row: number;
  /** 0 once the sequence generates. */
  promptTokensLeft(): number;
  /** Computes the next part of the prompt; never the whole rest of it. */
  compute(tokens: number): Promise<void>;
  /** Computes what is left of the prompt and makes one token; null when the model ends its answer. */
  sample(): Promise<number | null>;
  /** Frees all that the sequence holds. Called once, when it is not computing. */
  release(): Promise<void>;
}

export interface StepMember {
  readonly sequence: StepSequence;
  /** Takes a token and says whether it goes on. Null: the model ended its answer. The next decode waits for this. */
  take(token: number | null): boolean;
  /** Tells what was taken. Called once for each token, before the next is taken; never after the abort. */
  tell(): void;
}

export interface StepLoop {
  /** Resolves when the member ended or was aborted, after its release; rejects with what broke it. */
  join(member: StepMember, signal: AbortSignal): Promise<void>;
  /** To be called when a decode begins: now is the time to tell of the last one's tokens. */
  decodeBegan(): void;
  /** Resolves when a step that is running has ended. No member may join any more. */
  close(): Promise<void>;
}

interface Seat {
  readonly member: StepMember;
  readonly signal: AbortSignal;
  readonly leave: (error: unknown) => void;
  untold: boolean;
  /** An error while a token was reported to it, between two steps. */
  failure?: unknown;
}

const tell = (seat: Seat): void => {
  if (!seat.untold) return;
  seat.untold = false;
  if (!seat.signal.aborted) seat.member.tell();
};

/** One member's trouble is not the others': it leaves with it at the end of the step that computes. */
const tellSafely = (seat: Seat): void => {
  try {
    tell(seat);
  } catch (error) {
    seat.failure = error;
  }
};

type Advance = { readonly goesOn: boolean; readonly error?: unknown };
const goesOn: Advance = { goesOn: true };
const ended: Advance = { goesOn: false };

const advance = async (seat: Seat, share: number): Promise<Advance> => {
  const { member, signal } = seat;
  if (share === 0) return goesOn;
  try {
    if (share < member.sequence.promptTokensLeft()) {
      await member.sequence.compute(share);
      return goesOn;
    }
    const token = await member.sequence.sample();
    if (seat.failure !== undefined) throw seat.failure;
    // A token that came after the abort is nobody's.
    if (signal.aborted) return ended;
    tell(seat);
    seat.untold = true;
    return member.take(token) && token !== null ? goesOn : ended;
  } catch (error) {
    return { goesOn: false, error };
  }
};

const leaveSeat = async (seat: Seat, error: unknown): Promise<void> => {
  try {
    tell(seat);
    await seat.member.sequence.release();
  } catch (releaseError) {
    error ??= releaseError;
  }
  seat.leave(error);
};

/**
 * Requests that are sent together arrive within a millisecond or two of each other. Were the first one's prompt computed at
 * once, the others would wait for it in vain: so a loop that was idle waits as long as others keep coming, this long for
 * each and so often at most.
 */
const gatherMs = 2;
const gatherTimesMax = 4;

/** Lets those who wait for the end of a member act on it: its place may be taken before the next step. */
const nextTurn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** `seatsMax`: when so many have joined, nobody else can come. */
export const createStepLoop = (batchTokensMax: number, seatsMax: number): StepLoop => {
  let seats: Seat[] = [];
  let closed = false;
  let running: Promise<void> | null = null;

  const step = async (): Promise<void> => {
    const present = seats.filter(({ signal }) => !signal.aborted);
    const shares = shareBatch(
      present.map(({ member }) => member.sequence.promptTokensLeft()),
      batchTokensMax,
    );
    const advances = new Map<Seat, Advance>();
    await Promise.all(present.map(async (seat, index) => advances.set(seat, await advance(seat, shares[index]!))));
    // A sequence that joined during the step has no advance yet and stays; one that was aborted before it has none and leaves.
    const leaving = seats.filter((seat) => (advances.get(seat) ?? goesOn).goesOn === false || seat.signal.aborted || closed);
    if (leaving.length === 0) return;
    seats = seats.filter((seat) => !leaving.includes(seat));
    await Promise.all(leaving.map(async (seat) => leaveSeat(seat, advances.get(seat)?.error)));
    await nextTurn();
  };

  const gather = async (): Promise<void> => {
    for (let times = 0, known = 0; times < gatherTimesMax && seats.length > known && seats.length < seatsMax; times += 1) {
      known = seats.length;
      await new Promise((resolve) => setTimeout(resolve, gatherMs));
    }
  };

  const runToTheEnd = async (): Promise<void> => {
    await gather();
    while (seats.length > 0) await step();
    running = null;
  };

  return {
    join: async (member, signal) => {
      if (closed) throw new Error('the engine is closed');
      if (signal.aborted) return member.sequence.release();
      return new Promise<void>((resolve, reject) => {
        seats.push({ member, signal, untold: false, leave: (error) => (error === undefined ? resolve() : reject(error as Error)) });
        seats.sort((one, other) => one.member.sequence.row - other.member.sequence.row);
        running ??= runToTheEnd();
      });
    },
    // Not in this turn: the decode is about to begin, and computes on other threads from the next one on.
    decodeBegan: () => void setImmediate(() => seats.forEach(tellSafely)),
    close: async () => {
      closed = true;
      await running;
    },
  };
};
