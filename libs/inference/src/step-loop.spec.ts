import { describe, expect, it } from '@jest/globals';
import { createStepLoop, type StepMember, type StepSequence } from './step-loop.js';

/** A decode that waits until every sequence of the step has asked, as the loop promises that they do at once. */
const createDecoder = () => {
  const decodes: { names: string[]; tokens: number }[] = [];
  let asked: { name: string; tokens: number; proceed: () => void }[] = [];
  const decode = (name: string, tokens: number): Promise<void> =>
    new Promise((proceed) => {
      asked.push({ name, tokens, proceed });
      if (asked.length > 1) return;
      setImmediate(() => {
        const batch = asked;
        asked = [];
        decodes.push({ names: batch.map((one) => one.name), tokens: batch.reduce((sum, one) => sum + one.tokens, 0) });
        batch.forEach((one) => one.proceed());
      });
    });
  return { decodes, decode };
};

interface TestSequence extends StepSequence {
  released: number;
}

const never = new AbortController().signal;
const places = 16;

const createSequence = (decode: (name: string, tokens: number) => Promise<void>, name: string, promptTokens: number, answer: readonly (number | Error)[], row = 0): TestSequence => {
  let left = promptTokens;
  let next = 0;
  const sequence: TestSequence = {
    row,
    released: 0,
    promptTokensLeft: () => left,
    compute: async (tokens) => {
      await decode(name, tokens);
      left -= tokens;
    },
    sample: async () => {
      await decode(name, Math.max(left, 1));
      left = 0;
      const token = answer[next++];
      if (token instanceof Error) throw token;
      return token ?? null;
    },
    release: async () => {
      sequence.released += 1;
    },
  };
  return sequence;
};

/** Keeps what it was given, and goes on up to `tokensMax`. `told` is how many of them were told. */
const collect = (sequence: StepSequence, tokensMax = Infinity, onTake?: (token: number | null) => unknown): StepMember & { tokens: (number | null)[]; told: () => number } => {
  const tokens: (number | null)[] = [];
  let told = 0;
  return {
    sequence,
    tokens,
    told: () => told,
    take: (token) => {
      onTake?.(token);
      return tokens.push(token) < tokensMax;
    },
    tell: () => {
      told += 1;
    },
  };
};

describe('sequences in step', () => {
  it('asks sequences in the order of their rows, whenever they joined', async () => {
    const { decodes, decode } = createDecoder();
    const loop = createStepLoop(8, places);
    await Promise.all([2, 0, 3, 1].map(async (row) => loop.join(collect(createSequence(decode, String(row), 1, [1], row)), never)));
    expect(decodes[0]!.names).toEqual(['0', '1', '2', '3']);
  });

  it('that join within a moment of each other are in the first step together', async () => {
    const { decodes, decode } = createDecoder();
    const loop = createStepLoop(8, places);
    const first = loop.join(collect(createSequence(decode, 'first', 1, [1], 0)), never);
    // As two requests do that come over two connections: in different turns of the event loop.
    await new Promise(setImmediate);
    await Promise.all([first, loop.join(collect(createSequence(decode, 'second', 1, [1], 1)), never)]);
    expect(decodes[0]!.names).toEqual(['first', 'second']);
  });

  it('begin at once when no place is left for another', async () => {
    const { decode } = createDecoder();
    const loop = createStepLoop(8, 1);
    let [turns, running] = [0, true];
    const count = (): void => {
      turns += 1;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    await loop.join(collect(createSequence(decode, 'only', 1, [1])), never);
    running = false;
    expect(turns).toBeLessThan(50);
  });

  it('are all in every decode, however they joined', async () => {
    const { decodes, decode } = createDecoder();
    const loop = createStepLoop(64, places);
    const members = ['a', 'b', 'c'].map((name) => collect(createSequence(decode, name, 3, [1, 2, 3])));
    await Promise.all(members.map((member) => loop.join(member, never)));
    expect(decodes.map(({ names }) => names)).toEqual(Array.from({ length: 4 }, () => ['a', 'b', 'c']));
    members.forEach(({ tokens }) => expect(tokens).toEqual([1, 2, 3, null]));
  });

  it('a long prompt is computed in parts between which the others go on', async () => {
    const { decodes, decode } = createDecoder();
    const loop = createStepLoop(10, places);
    const short = collect(createSequence(decode, 'short', 1, [1, 2, 3]));
    const long = collect(createSequence(decode, 'long', 25, [7]));
    await Promise.all([loop.join(short, never), loop.join(long, never)]);
    expect(decodes.slice(0, 3)).toEqual(Array.from({ length: 3 }, (_, index) => ({ names: ['short', 'long'], tokens: index < 2 ? 10 : 8 })));
    expect(long.tokens).toEqual([7, null]);
    expect(short.tokens).toEqual([1, 2, 3, null]);
  });

  it('no decode is larger than the budget', async () => {
    const { decodes, decode } = createDecoder();
    const loop = createStepLoop(10, places);
    await Promise.all([30, 4, 17, 1].map((prompt, index) => loop.join(collect(createSequence(decode, String(index), prompt, [1, 2])), never)));
    decodes.forEach(({ tokens }) => expect(tokens).toBeLessThanOrEqual(10));
  });

  it('who joins while others generate is in the next decode', async () => {
    const { decodes, decode } = createDecoder();
    const loop = createStepLoop(64, places);
    const late = collect(createSequence(decode, 'late', 1, [9]));
    const joined: Promise<void>[] = [];
    const early = createSequence(decode, 'early', 1, [1, 2, 3, 4]);
    await loop.join(collect(early, Infinity, (token) => token === 2 && joined.push(loop.join(late, never))), never);
    await Promise.all(joined);
    expect(decodes.map(({ names }) => names.join('+'))).toEqual(['early', 'early', 'early+late', 'early+late', 'early']);
  });

  it('a place that became free is taken before the next decode', async () => {
    const { decodes, decode } = createDecoder();
    const loop = createStepLoop(64, places);
    const stays = loop.join(collect(createSequence(decode, 'stays', 1, [1, 2, 3])), never);
    await loop.join(collect(createSequence(decode, 'leaves', 1, [1]), 1), never);
    await loop.join(collect(createSequence(decode, 'follows', 1, [1])), never);
    await stays;
    expect(decodes.map(({ names }) => names.join('+'))).toEqual(['stays+leaves', 'stays+follows', 'stays+follows', 'stays']);
  });
});

describe('what a step made', () => {
  it('is told while the next decode computes, once a token, and all of it before the sequence leaves', async () => {
    const { decode } = createDecoder();
    const loop = createStepLoop(8, places);
    const toldAtDecode: number[] = [];
    const sequence = createSequence(
      async (name, tokens) => {
        toldAtDecode.push(member.told());
        loop.decodeBegan();
        await decode(name, tokens);
      },
      'a',
      1,
      [1, 2, 3],
    );
    const member = collect(sequence);
    await loop.join(member, never);
    // When the second decode begins the first one's token is not told yet; when the third begins it is.
    expect(toldAtDecode).toEqual([0, 0, 1, 2]);
    expect(member.told()).toBe(4);
  });

  it('is told before the next token is taken, also when nobody says that a decode began', async () => {
    const { decode } = createDecoder();
    const toldWhenTaken: number[] = [];
    const member = collect(createSequence(decode, 'a', 1, [1, 2, 3]), Infinity, () => toldWhenTaken.push(member.told()));
    await createStepLoop(8, places).join(member, never);
    expect(toldWhenTaken).toEqual([0, 1, 2, 3]);
    expect(member.told()).toBe(4);
  });
});

describe('a sequence leaves', () => {
  it('alone when telling it of a token fails', async () => {
    const { decode } = createDecoder();
    const loop = createStepLoop(8, places);
    const deaf = collect(
      createSequence(
        async (name, tokens) => {
          loop.decodeBegan();
          await decode(name, tokens);
        },
        'deaf',
        1,
        [1, 2, 3, 4],
      ),
    );
    const whole = collect(createSequence(decode, 'whole', 1, [1, 2, 3]));
    const failing = { ...deaf, tell: () => { throw new Error('nobody listens'); } };
    const outcomes = await Promise.allSettled([loop.join(failing, never), loop.join(whole, never)]);
    expect(outcomes).toMatchObject([{ status: 'rejected', reason: { message: 'nobody listens' } }, { status: 'fulfilled' }]);
    expect(whole.told()).toBe(4);
  });

  it('when its member has enough, without another decode', async () => {
    const { decodes, decode } = createDecoder();
    const sequence = createSequence(decode, 'a', 1, [1, 2, 3]);
    await createStepLoop(8, places).join(collect(sequence, 2), never);
    expect(decodes).toHaveLength(2);
    expect(sequence.released).toBe(1);
  });

  it('at once when it is aborted, and no token is told any more', async () => {
    const { decode } = createDecoder();
    const controller = new AbortController();
    const sequence = createSequence(decode, 'a', 1, [1, 2, 3, 4, 5]);
    const member = collect(sequence, Infinity, (token) => token === 2 && controller.abort());
    await createStepLoop(8, places).join(member, controller.signal);
    expect(member.tokens).toEqual([1, 2]);
    expect(member.told()).toBe(1);
    expect(sequence.released).toBe(1);
  });

  it('without a decode when it was aborted before', async () => {
    const { decodes, decode } = createDecoder();
    const sequence = createSequence(decode, 'a', 1, [1]);
    await createStepLoop(8, places).join(collect(sequence), AbortSignal.abort());
    expect(decodes).toEqual([]);
    expect(sequence.released).toBe(1);
  });

  it('alone when it breaks: the others go on', async () => {
    const { decode } = createDecoder();
    const loop = createStepLoop(8, places);
    const broken = createSequence(decode, 'broken', 1, [1, new Error('the decode failed')]);
    const whole = collect(createSequence(decode, 'whole', 1, [1, 2, 3]));
    const outcomes = await Promise.allSettled([loop.join(collect(broken), never), loop.join(whole, never)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(broken.released).toBe(1);
    expect(whole.tokens).toEqual([1, 2, 3, null]);
  });

  it('when the loop closes, and nobody joins any more', async () => {
    const { decode } = createDecoder();
    const loop = createStepLoop(8, places);
    const sequence = createSequence(decode, 'a', 1, [1, 2, 3]);
    const left = loop.join(collect(sequence), never);
    await loop.close();
    await left;
    expect(sequence.released).toBe(1);
    await expect(loop.join(collect(sequence), never)).rejects.toThrow('closed');
  });
});
