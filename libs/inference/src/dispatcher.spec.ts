import { describe, expect, it } from '@jest/globals';
import { AppError, systemClock } from '@kilotoken/platform';
import type { DispatchLimits } from './dispatch.js';
import { createDispatcher, type GenerationSink } from './dispatcher.js';
import type { Engine, GenerationRequest, Run, RunSink } from './engine.js';

/** An engine whose runs the test ends by hand. `n` choices are `n` runs of one sequence and `maxTokens` of cache each. */
const createManualEngine = () => {
  const running: { run: Run; sink: RunSink; signal: AbortSignal; end: (error?: unknown) => void }[] = [];
  const engine: Engine = {
    modelId: 'manual',
    kind: 'loopback',
    contextTokens: 100,
    plan: ({ choicesPerPrompt, maxTokens }) => ({
      promptTokens: 10,
      runs: Array.from({ length: choicesPerPrompt }, (_, choice) => ({ choices: [choice], sequences: 1, kvTokens: maxTokens ?? 1 })),
    }),
    run: async (run, sink, signal) =>
      new Promise((resolve, reject) => {
        running.push({ run, sink, signal, end: (error) => (error === undefined ? resolve() : reject(error as Error)) });
      }),
    check: async () => undefined,
    close: async () => undefined,
  };
  return { engine, running };
};

const limits: DispatchLimits = { sequencesMax: 2, kvTokensMax: 100, waitingSequencesMax: 2, waitingTokensMax: 100 };
const request = (choicesPerPrompt = 1, maxTokens = 1): GenerationRequest => ({
  prompt: { kind: 'text', texts: [''] },
  choicesPerPrompt,
  maxTokens,
  sampling: { temperature: 0, topP: 1, seed: null, stop: [] },
});
const collect = (): GenerationSink & { told: string[] } => {
  const told: string[] = [];
  return {
    told,
    started: () => told.push('started'),
    text: (choice, text) => told.push(`${choice}:${text}`),
    finish: (choice, reason) => told.push(`${choice}!${reason}`),
  };
};
const never = new AbortController().signal;
const idle = { runningSequences: 0, runningKvTokens: 0, waitingSequences: 0, waitingTokens: 0 };
const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('requests for one engine', () => {
  it('run in order as places become free; what is over the queue is refused', async () => {
    const { engine, running } = createManualEngine();
    const dispatcher = createDispatcher(engine, limits, systemClock);
    const sinks = Array.from({ length: 4 }, collect);
    const generations = sinks.map((sink) => dispatcher.generate(request(), sink, never));
    sinks.forEach(({ told }) => expect(told).toEqual([]));
    await settle();
    expect(sinks.map(({ told }) => told)).toEqual([['started'], ['started'], [], []]);
    expect(() => dispatcher.generate(request(), collect(), never)).toThrow(expect.objectContaining({ code: 'queue_full', kind: 'exhausted' }));

    running[1]!.end();
    await generations[1]!.ended;
    expect(sinks[2]!.told).toEqual(['started']);
    expect(sinks[3]!.told).toEqual([]);
    running[0]!.end();
    running[2]!.end();
    await settle();
    running[3]!.end();
    await Promise.all(generations.map(({ ended }) => ended));
    expect(dispatcher.state()).toEqual(idle);
  });

  it('several choices run as places become free, and the request ends with the last', async () => {
    const { engine, running } = createManualEngine();
    const dispatcher = createDispatcher(engine, limits, systemClock);
    const sink = collect();
    const generation = dispatcher.generate(request(3), sink, never);
    await settle();
    expect(running).toHaveLength(2);
    for (let index = 0; index < 3; index++) {
      const { sink: runSink, run, end } = running[index]!;
      runSink.usage({ promptTokens: 10, completionTokens: index + 1 });
      runSink.text(run.choices[0]!, 'text');
      runSink.finish(run.choices[0]!, 'stop');
      end();
      await settle();
    }
    await generation.ended;
    expect(sink.told).toEqual(['started', '0:text', '0!stop', '1:text', '1!stop', '2:text', '2!stop']);
    expect(generation.usage()).toEqual({ promptTokens: 10, completionTokens: 6 });
  });

  it('what asks for more than there will ever be is refused as wrong, not as full', () => {
    const dispatcher = createDispatcher(createManualEngine().engine, limits, systemClock);
    expect(() => dispatcher.generate(request(5), collect(), never)).toThrow(expect.objectContaining({ code: 'unsupported_value', kind: 'invalid' }));
  });
});

describe('a cancelled request', () => {
  it('that waits leaves at once and never runs', async () => {
    const { engine, running } = createManualEngine();
    const dispatcher = createDispatcher(engine, limits, systemClock);
    const before = [dispatcher.generate(request(), collect(), never), dispatcher.generate(request(), collect(), never)];
    const controller = new AbortController();
    const sink = collect();
    const generation = dispatcher.generate(request(), sink, controller.signal);
    await settle();
    controller.abort();
    await generation.ended;
    expect(dispatcher.state().waitingSequences).toBe(0);
    running.forEach(({ end }) => end());
    await Promise.all(before.map(({ ended }) => ended));
    expect(running).toHaveLength(2);
    expect(sink.told).toEqual([]);
  });

  it('that runs keeps its place until the engine has stopped it, and its exact counts', async () => {
    const { engine, running } = createManualEngine();
    const dispatcher = createDispatcher(engine, limits, systemClock);
    const controller = new AbortController();
    const generation = dispatcher.generate(request(), collect(), controller.signal);
    await settle();
    running[0]!.sink.usage({ promptTokens: 10, completionTokens: 7 });
    controller.abort();
    expect(running[0]!.signal.aborted).toBe(true);
    expect(dispatcher.state().runningSequences).toBe(1);
    running[0]!.end();
    await generation.ended;
    expect(dispatcher.state()).toEqual(idle);
    expect(generation.usage()).toEqual({ promptTokens: 10, completionTokens: 7 });
  });

  it('before it was asked never runs', async () => {
    const { engine, running } = createManualEngine();
    const dispatcher = createDispatcher(engine, limits, systemClock);
    await dispatcher.generate(request(), collect(), AbortSignal.abort()).ended;
    expect(running).toHaveLength(0);
    expect(dispatcher.state()).toEqual(idle);
  });
});

describe('a run that fails', () => {
  it("ends its request, stops the request's other runs, and frees all places", async () => {
    const { engine, running } = createManualEngine();
    const dispatcher = createDispatcher(engine, limits, systemClock);
    const other = dispatcher.generate(request(3), collect(), never);
    await settle();
    const failure = new AppError({ code: 'internal_error', kind: 'bug', publicMessage: 'broken' });
    running[0]!.end(failure);
    await settle();
    expect(running[1]!.signal.aborted).toBe(true);
    running[1]!.end();
    await expect(other.ended).rejects.toBe(failure);
    expect(running).toHaveLength(2);
    expect(dispatcher.state()).toEqual(idle);
  });
});

describe('a drain', () => {
  it('refuses what is new and waits for what was admitted', async () => {
    const { engine, running } = createManualEngine();
    const dispatcher = createDispatcher(engine, limits, systemClock);
    dispatcher.generate(request(), collect(), never);
    let drained = false;
    const draining = dispatcher.drain().then(() => (drained = true));
    expect(() => dispatcher.generate(request(), collect(), never)).toThrow(expect.objectContaining({ code: 'server_draining', kind: 'unavailable' }));
    await settle();
    expect(running).toHaveLength(1);
    expect(drained).toBe(false);
    running[0]!.end();
    await draining;
  });
});
