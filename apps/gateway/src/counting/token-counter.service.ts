import { Injectable } from '@nestjs/common';
import { OffloadError, type Offload } from '@kilotoken/platform/offload';
import type { Logger } from 'pino';
import { countedSize, countWith, counterOf, isTokenizerName, type CountingJobs, type CountOutput, type PromptOutput, type TokenizerName } from './counting.jobs.js';
import { lengthOf, sampleOf } from './sample.js';
import { countText } from './text-counter.js';

/** A text up to this length is counted at once: at a microsecond for the worst of characters it takes two milliseconds. */
export const inlineLengthMax = 2_048;
/** Many small counts in one turn of the loop are no better than a large one: what goes beyond this leaves the loop too. */
export const inlineLengthPerTurnMax = 16_384;
/** The characters that a thread counts before another organization has a turn. */
export const jobLengthMax = 65_536;
/** The characters that the event loop counts if no thread can: the fallback must not block the loop. */
const fallbackSize = { length: inlineLengthMax, pieceLength: 256 };

const fallbackTokenizer: TokenizerName = 'o200k_base';

/** A random number from 0 to below 1, for the places of samples. */
export type Random = () => number;

/**
 * Counts tokens without holding up the event loop: small texts here and at once, longer ones in worker threads, piece by
 * piece, so that a long text waits and not those behind it. Where no thread is free in time, a small sample is counted here.
 * Every count ends at `tokensMax`. Each count is an estimate for a charge: a lane's own tokenizer may differ from ours.
 */
@Injectable()
export class TokenCounter {
  private readonly vocabularies = new Map<TokenizerName, SharedArrayBuffer>();
  private readonly loading = new Map<TokenizerName, Promise<SharedArrayBuffer>>();
  private inlineLeft = inlineLengthPerTurnMax;

  constructor(
    private readonly offload: Offload<CountingJobs>,
    private readonly logger: Logger,
    /** Called for every count that no thread had time for. */
    private readonly onSampled: () => void,
    private readonly random: Random = Math.random,
  ) {}

  /** Encodings are loaded before they are used: until then the default one counts for them. */
  async load(names: Iterable<string>): Promise<void> {
    await Promise.all([...new Set([fallbackTokenizer, ...names])].filter(isTokenizerName).map((name) => this.loadOnce(name)));
  }

  /** Tokens of texts that stand apart, at most `tokensMax`. `tenant` waits for threads behind its own counts only. */
  count(tokenizer: string, texts: readonly string[], tokensMax: number, tenant: string): number | Promise<number> {
    const length = lengthOf(texts);
    if (length === 0) return 0;
    if (this.takeInline(length)) return Math.min(tokensMax, this.countHere(tokenizer, texts, tokensMax));
    return this.countOutside(tokenizer, texts, tokensMax, tenant);
  }

  /** Tokens of the text as far as this turn of the loop has room for it. */
  countNow(tokenizer: string, text: string): number {
    const first = text.slice(0, inlineLengthMax);
    return first !== '' && this.takeInline(first.length) ? this.countHere(tokenizer, [first], Infinity) : 0;
  }

  /** Counts a text that goes on later, or a first part of it: `end` says how far. What stands behind it comes again with the text that follows. */
  advance(tokenizer: string, text: string, tenant: string): CountOutput | Promise<CountOutput> {
    if (this.takeInline(text.length)) return countText(this.counter(tokenizer), text, { isWhole: false });
    return this.advanceOutside(tokenizer, text.slice(0, jobLengthMax), tenant);
  }

  /** A large body's prompt, read and counted in a thread. Without a thread its text is a sample of the body, markup included. */
  async countPrompt(name: string, raw: SharedArrayBuffer, tokensMax: number, tenant: string): Promise<PromptOutput> {
    const { tokenizer, vocabulary } = this.encoding(name);
    try {
      return await this.offload.run('countPrompt', { tokenizer, vocabulary, raw, tokensMax, offset: this.random() }, tenant);
    } catch (error) {
      const textTokens = await this.countSample(tokenizer, [Buffer.from(sampledBytes(raw, this.random())).toString('utf8')], tokensMax, error);
      const scale = Math.max(1, raw.byteLength / fallbackSize.length);
      return { textTokens: Math.min(tokensMax, Math.ceil(textTokens * scale)), tokens: 0, images: 0, audioTokens: 0, isUnbounded: false };
    }
  }

  private async loadOnce(name: TokenizerName): Promise<void> {
    if (this.vocabularies.has(name)) return;
    const loading = this.loading.get(name) ?? this.offload.run('loadVocabulary', name, 'gateway');
    this.loading.set(name, loading);
    try {
      this.vocabularies.set(name, await loading);
    } finally {
      this.loading.delete(name);
    }
  }

  /** Whether a text may be counted in this turn of the loop; counts as having been. */
  private takeInline(length: number): boolean {
    if (length > inlineLengthMax || length > this.inlineLeft) return false;
    if (this.inlineLeft === inlineLengthPerTurnMax) setImmediate(() => (this.inlineLeft = inlineLengthPerTurnMax));
    this.inlineLeft -= length;
    return true;
  }

  private countHere(tokenizer: string, texts: readonly string[], tokensMax: number): number {
    return countWith(this.counter(tokenizer), texts, true, tokensMax).tokens;
  }

  private async countOutside(tokenizer: string, texts: readonly string[], tokensMax: number, tenant: string): Promise<number> {
    try {
      const sample = sampleOf(texts, countedSize, this.random());
      const tokens = await this.countInPieces(tokenizer, sample.texts, Math.ceil(tokensMax / sample.scale), tenant);
      return Math.min(tokensMax, Math.ceil(tokens * sample.scale));
    } catch (error) {
      return await this.countSample(tokenizer, texts, tokensMax, error);
    }
  }

  private async countInPieces(tokenizer: string, texts: readonly string[], tokensMax: number, tenant: string): Promise<number> {
    const cursor = createCursor(texts);
    let tokens = 0;
    for (let batch = cursor.take(); batch.texts.length > 0 && tokens < tokensMax; batch = cursor.take()) {
      const counted = await this.run(tokenizer, batch.texts, batch.isWhole, tokensMax - tokens, tenant);
      tokens += counted.tokens;
      cursor.counted(batch, counted.end);
    }
    return tokens;
  }

  private async advanceOutside(tokenizer: string, text: string, tenant: string): Promise<CountOutput> {
    try {
      return await this.run(tokenizer, [text], false, Infinity, tenant);
    } catch (error) {
      return { tokens: await this.countSample(tokenizer, [text], Infinity, error), end: text.length };
    }
  }

  private run(name: string, texts: readonly string[], isWhole: boolean, tokensMax: number, tenant: string): Promise<CountOutput> {
    const { tokenizer, vocabulary } = this.encoding(name);
    return this.offload.run('countTexts', { tokenizer, vocabulary, texts, isWhole, tokensMax }, tenant);
  }

  /** No thread counts: a sample stands for all of it. */
  private async countSample(tokenizer: string, texts: readonly string[], tokensMax: number, error: unknown): Promise<number> {
    this.onSampled();
    // A queue that is full is load, and says so by its count; all else is a fault.
    if (!(error instanceof OffloadError)) this.logger.error({ event: 'count.failed', error });
    const sample = sampleOf(texts, fallbackSize, this.random());
    while (!this.takeInline(lengthOf(sample.texts))) await new Promise((resolve) => setImmediate(resolve));
    return Math.min(tokensMax, Math.ceil(this.countHere(tokenizer, sample.texts, Infinity) * sample.scale));
  }

  private counter(name: string) {
    const { tokenizer, vocabulary } = this.encoding(name);
    return counterOf(tokenizer, vocabulary);
  }

  private encoding(name: string): { tokenizer: TokenizerName; vocabulary: SharedArrayBuffer } {
    const tokenizer = isTokenizerName(name) && this.vocabularies.has(name) ? name : fallbackTokenizer;
    const vocabulary = this.vocabularies.get(tokenizer);
    if (!vocabulary) throw new Error('the tokenizers are not loaded');
    return { tokenizer, vocabulary };
  }
}

interface Batch {
  readonly texts: string[];
  readonly isWhole: boolean;
}

/** Cuts texts into batches of a job's length. A text that is cut goes on where the count of its first part ended. */
const createCursor = (texts: readonly string[]) => {
  let index = 0;
  let position = 0;
  const take = (): Batch => {
    const batch: string[] = [];
    let left = jobLengthMax;
    while (index < texts.length && left > 0) {
      const text = texts[index]!;
      const piece = text.slice(position, position + left);
      batch.push(piece);
      if (position + piece.length < text.length) return { texts: batch, isWhole: false };
      left -= piece.length;
      index += 1;
      position = 0;
    }
    return { texts: batch, isWhole: true };
  };
  const counted = ({ isWhole }: Batch, end: number): void => {
    if (!isWhole) position += end;
  };
  return { take, counted };
};

/** A sample of a body's bytes, as `sampleOf` makes it of texts. */
const sampledBytes = (raw: SharedArrayBuffer, offset: number): Uint8Array => {
  const bytes = new Uint8Array(raw);
  const pieces = Math.floor(fallbackSize.length / fallbackSize.pieceLength);
  const stride = bytes.length / pieces;
  if (bytes.length <= fallbackSize.length) return bytes.slice();
  const sampled = new Uint8Array(fallbackSize.length);
  for (let piece = 0; piece < pieces; piece += 1) {
    const start = Math.min(Math.floor((piece + offset) * stride), bytes.length - fallbackSize.pieceLength);
    sampled.set(bytes.subarray(start, start + fallbackSize.pieceLength), piece * fallbackSize.pieceLength);
  }
  return sampled;
};
