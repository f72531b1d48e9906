import { describe, expect, it } from '@jest/globals';
import type { Engine, GenerationRequest, RunSink, TokenUsage } from './engine.js';
import { countLoopbackTokens, createLoopbackEngine, loopbackContextTokens } from './loopback.engine.js';

const request = (overrides: Partial<GenerationRequest> = {}): GenerationRequest => ({
  prompt: { kind: 'chat', messages: [{ role: 'user', content: 'say this back' }] },
  choicesPerPrompt: 1,
  maxTokens: null,
  sampling: { temperature: 1, topP: 1, seed: null, stop: [] },
  ...overrides,
});

const answer = async (engine: Engine, asked: GenerationRequest, signal = new AbortController().signal, onText?: (texts: string[]) => void) => {
  const plan = engine.plan(asked);
  const texts: string[] = [];
  const pieces: string[] = [];
  const reasons: string[] = [];
  let usage: TokenUsage | null = null;
  const sink: RunSink = {
    usage: (counts) => (usage = counts),
    text: (choice, text) => {
      texts[choice] = (texts[choice] ?? '') + text;
      pieces.push(text);
      onText?.(texts);
    },
    finish: (choice, reason) => (reasons[choice] = reason),
  };
  for (const run of plan.runs) await engine.run(run, sink, signal);
  return { texts, pieces, reasons, usage: usage as TokenUsage | null, promptTokens: plan.promptTokens };
};

const engine = createLoopbackEngine({ tokenDelayMs: 0 });
const sampling = (stop: string[]) => ({ temperature: 1, topP: 1, seed: null, stop });

describe('the loopback engine', () => {
  it('says that it is one, and what it was told', async () => {
    expect(await answer(engine, request())).toEqual({
      texts: ['[loopback engine] say this back'],
      pieces: ['[loopback', ' engine]', ' say', ' this', ' back'],
      reasons: ['stop'],
      usage: { promptTokens: 4, completionTokens: 5 },
      promptTokens: 4,
    });
  });

  it('counts words, and one for each role', async () => {
    const messages = [
      { role: 'system', content: 'two words' },
      { role: 'assistant', content: '' },
      { role: 'user', content: '  a\n\tb  ' },
    ] as const;
    const { promptTokens, usage } = await answer(engine, request({ prompt: { kind: 'chat', messages } }));
    expect(promptTokens).toBe(7);
    expect(usage).toEqual({ promptTokens: 7, completionTokens: 4 });
    expect(countLoopbackTokens(' a  b\nc ')).toBe(3);
  });

  it('what it says has as many tokens as it counts', async () => {
    const { texts, usage } = await answer(engine, request());
    expect(countLoopbackTokens(texts[0]!)).toBe(usage!.completionTokens);
  });

  it.each([
    [1, '[loopback', 'length'],
    [4, '[loopback engine] say this', 'length'],
    [5, '[loopback engine] say this back', 'stop'],
    [50, '[loopback engine] say this back', 'stop'],
  ])('at most %i tokens: %s', async (maxTokens, text, reason) => {
    const { texts, reasons, usage } = await answer(engine, request({ maxTokens }));
    expect({ text: texts[0], reason: reasons[0] }).toEqual({ text, reason });
    expect(usage!.completionTokens).toBe(Math.min(maxTokens, 5));
  });

  it('ends before a stop string, whose tokens count', async () => {
    const { texts, reasons, usage } = await answer(engine, request({ sampling: sampling(['his']) }));
    expect({ text: texts[0], reason: reasons[0], tokens: usage!.completionTokens }).toEqual({ text: '[loopback engine] say t', reason: 'stop', tokens: 4 });
  });

  it('holds back what could be a stop string until it is none', async () => {
    const { texts, pieces } = await answer(engine, request({ sampling: sampling([' say that']) }));
    expect(texts[0]).toBe('[loopback engine] say this back');
    expect(pieces).toContain(' say this');
  });

  it('answers each prompt n times, in order', async () => {
    const { texts, usage } = await answer(engine, request({ prompt: { kind: 'text', texts: ['one', 'two words'] }, choicesPerPrompt: 2 }));
    expect(texts).toEqual(['[loopback engine] one', '[loopback engine] one', '[loopback engine] two words', '[loopback engine] two words']);
    expect(usage).toEqual({ promptTokens: 3, completionTokens: 14 });
  });

  it('stops when it is cancelled, with exact counts', async () => {
    const controller = new AbortController();
    const long = request({ prompt: { kind: 'text', texts: ['word '.repeat(10_000)] } });
    const { usage, reasons, pieces } = await answer(engine, long, controller.signal, ([text]) => countLoopbackTokens(text!) === 100 && controller.abort());
    expect(usage!.completionTokens).toBe(100);
    expect(pieces).toHaveLength(100);
    expect(reasons).toEqual([]);
  });

  it('lets others have a turn during a long answer', async () => {
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 0);
    await answer(engine, request({ prompt: { kind: 'text', texts: ['word '.repeat(50_000)] } }));
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(0);
  });

  it('refuses what its context does not hold', () => {
    const texts = ['word '.repeat(loopbackContextTokens)];
    expect(() => engine.plan(request({ prompt: { kind: 'text', texts } }))).toThrow(expect.objectContaining({ code: 'context_length_exceeded' }));
  });

  it('the delay between tokens is a setting', async () => {
    const startedMs = performance.now();
    await answer(createLoopbackEngine({ tokenDelayMs: 10 }), request());
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(45);
  });
});
