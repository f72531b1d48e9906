import { beforeAll, describe, expect, it } from '@jest/globals';
import { createStreamState, observeChunk } from '@kilotoken/openai';
import { imageTokensDefault, type TokenClass, tokenClasses } from '@kilotoken/contracts';
import { createInlineOffload, OffloadError, type Offload } from '@kilotoken/platform/offload';
import { pino } from 'pino';
import { smallRequest } from '../intake/read-request.js';
import type { LargeRequest } from '../request/read-request.js';
import * as jobs from './counting.jobs.js';
import { Estimator, type Estimated } from './estimator.service.js';
import { TokenCounter } from './token-counter.service.js';

let vocabulary: SharedArrayBuffer;
beforeAll(() => {
  vocabulary = jobs.loadVocabulary('o200k_base');
});

const open = async (isFull = false): Promise<Estimator> => {
  const inline = createInlineOffload(async () => ({ loadVocabulary: () => vocabulary, countTexts: jobs.countTexts, countPrompt: jobs.countPrompt }));
  const full: Offload<jobs.CountingJobs> = { ...inline, run: async (name, input, tenant) => (name === 'loadVocabulary' ? inline.run(name, input, tenant) : Promise.reject(new OffloadError('full'))) };
  const counter = new TokenCounter(isFull ? full : inline, pino({ level: 'silent' }), () => undefined, () => 0.5);
  await counter.load([]);
  return new Estimator(counter);
};

const chat = (content: unknown) => ({ model: 'm', messages: [{ role: 'user', content }] }) as never;

const estimated = (content: unknown, more: Partial<Estimated> = {}): Estimated => ({
  request: smallRequest(chat(content)),
  organizationId: 'a',
  promptTokensMax: 100_000n,
  outputTokensMax: 1_000,
  imageTokens: null,
  ...more,
});

const large = (content: unknown, promptTokens: number, images = 0): LargeRequest => {
  const body = Buffer.from(JSON.stringify(chat(content)));
  const raw = new SharedArrayBuffer(body.length);
  body.copy(Buffer.from(raw));
  return { whole: null, params: {} as never, facts: { needed: [], promptTokens: [promptTokens], media: { images, tokens: 0, isBounded: true }, predictionTokens: 0 }, raw: { operation: 'chat.completions', raw }, hash: null, body: () => Promise.reject(new Error('not needed')) };
};

const saying = (...deltas: object[]) => {
  const state = createStreamState(1);
  for (const delta of deltas) observeChunk(state, { choices: [{ index: 0, delta }] });
  return state;
};

const lane = { tokenizer: 'o200k_base', tokenClasses: new Set<TokenClass>(tokenClasses) };
const image = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };
const sound = { type: 'input_audio', input_audio: { format: 'wav', data: 'A'.repeat(21_332) } };

describe('an estimate', () => {
  it('is known at once where all is small', async () => {
    const estimator = await open();
    expect(estimator.total(estimated('hello world'), lane, saying({ content: 'hello' }))).toEqual({ input: 2 + 7, output: 1 });
    expect(estimator.total(estimated('hello world'), lane, null)).toEqual({ input: 9, output: 0 });
  });

  it('has images and sound in their classes, images at the bound of their model', async () => {
    const estimator = await open();
    const content = [{ type: 'text', text: 'hello' }, image, image, sound];
    expect(estimator.total(estimated(content), lane, null)).toEqual({ input: 8, image_in: 2 * imageTokensDefault, audio_in: 10, output: 0 });
    expect(estimator.total(estimated(content, { imageTokens: 100 }), lane, null)).toMatchObject({ image_in: 200 });
  });

  it('counts a class that the lane lacks as plain input or output', async () => {
    const estimator = await open();
    const plain = { ...lane, tokenClasses: new Set<TokenClass>(['input', 'output']) };
    const counts = estimator.total(estimated([{ type: 'text', text: 'hello' }, image, sound]), plain, saying({ content: 'hello', reasoning_content: 'hello world' }));
    expect(counts).toEqual({ input: 8 + imageTokensDefault + 10, output: 3 });
  });

  it('is never above the bounds that the hold was made for', async () => {
    const estimator = await open();
    const bounds = { promptTokensMax: 50n, outputTokensMax: 10 };
    const counts = await estimator.total(estimated([{ type: 'text', text: 'word '.repeat(30) }, image, sound], bounds), lane, saying({ content: 'word '.repeat(20), reasoning_content: 'word '.repeat(6) }));
    expect((counts.input ?? 0) + (counts.image_in ?? 0) + (counts.audio_in ?? 0)).toBe(50);
    expect((counts.output ?? 0) + (counts.reasoning ?? 0)).toBe(10);
    expect(await estimator.total(estimated([{ type: 'file', file: { file_id: 'f' } }], bounds), lane, null)).toEqual({ input: 50, output: 0 });
  });

  it('of a large body is made in a thread, of its parts', async () => {
    const estimator = await open();
    const request = large([{ type: 'text', text: 'word '.repeat(20_000) }, image], 200_000, 1);
    expect(await estimator.total(estimated('', { request }), lane, null)).toEqual({ input: 20_001 + 7, image_in: imageTokensDefault, output: 0 });
  });

  it('of a large body without a thread is a sample of it, at most what its text can be', async () => {
    const estimator = await open(true);
    const text = large('word '.repeat(20_000), 200_000);
    const { input } = await estimator.total(estimated('', { request: text }), lane, null);
    expect(input! / 20_000).toBeGreaterThan(0.95);
    expect(input! / 20_000).toBeLessThan(1.3);
    const picture = large([{ type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0K'.repeat(50_000)}` } }], 40, 1);
    expect(await estimator.total(estimated('', { request: picture }), lane, null)).toEqual({ input: 40, image_in: imageTokensDefault, output: 0 });
  });

  it('for a checkpoint waits for nothing: the prompt is known once a thread has counted it', async () => {
    const estimator = await open();
    const long = estimated('word '.repeat(5_000));
    const state = saying({ content: 'one two ' });
    expect(estimator.soFar(long, lane, state)).toBeNull();
    await new Promise((resolve) => setImmediate(resolve));
    observeChunk(state, { choices: [{ index: 0, delta: { content: 'three' } }] });
    expect(estimator.soFar(long, lane, state)).toEqual({ input: 5_001 + 7, output: 3 });
    expect(await estimator.total(long, lane, state)).toEqual({ input: 5_001 + 7, output: 3 });
  });
});
