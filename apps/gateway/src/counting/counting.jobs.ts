import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { CL100K_TOKEN_SPLIT_REGEX, O200K_TOKEN_SPLIT_REGEX, R50K_TOKEN_SPLIT_REGEX } from 'gpt-tokenizer/encodingParams/constants';
import { promptPartsOf, type PromptParts } from './prompt-parts.js';
import { sampleOf } from './sample.js';
import { countText, createTextCounter, windowLength, type Encoding, type TextCounter } from './text-counter.js';
import { buildVocabulary, openVocabulary } from './vocabulary.js';

/** The counting jobs of worker threads. A job's work is bounded by its input's length, which the caller bounds. */
export interface CountingJobs {
  /** Reads an encoding's tokens from its package; the block is shared by all threads. */
  loadVocabulary(tokenizer: TokenizerName): SharedArrayBuffer;
  countTexts(input: CountInput): CountOutput;
  /** Of a body whose bulk stands in no other thread. */
  countPrompt(input: PromptInput): PromptOutput;
}

/** Of a longer text a sample of this length is counted; so one count takes a thread about a second at most. */
export const countedSize = { length: 1_048_576, pieceLength: windowLength };

export interface PromptInput {
  readonly tokenizer: TokenizerName;
  readonly vocabulary: SharedArrayBuffer;
  /** A JSON body that was accepted. */
  readonly raw: SharedArrayBuffer;
  readonly tokensMax: number;
  /** Where a sample begins, if one is needed. */
  readonly offset: number;
}

export interface PromptOutput extends Omit<PromptParts, 'texts'> {
  readonly textTokens: number;
}

export interface CountInput {
  readonly tokenizer: TokenizerName;
  readonly vocabulary: SharedArrayBuffer;
  readonly texts: readonly string[];
  /** False where the last text goes on: what is not certain yet at its end is left out. */
  readonly isWhole: boolean;
  readonly tokensMax: number;
}

export interface CountOutput {
  readonly tokens: number;
  /** How much of the last text is counted. */
  readonly end: number;
}

const wordsOf = {
  o200k_base: O200K_TOKEN_SPLIT_REGEX,
  cl100k_base: CL100K_TOKEN_SPLIT_REGEX,
  p50k_base: R50K_TOKEN_SPLIT_REGEX,
  r50k_base: R50K_TOKEN_SPLIT_REGEX,
} as const;

export type TokenizerName = keyof typeof wordsOf;

export const isTokenizerName = (name: string): name is TokenizerName => Object.hasOwn(wordsOf, name);

const { resolve } = createRequire(import.meta.url);

/** A line is a token's bytes in base64 and its rank. */
export const loadVocabulary = (tokenizer: TokenizerName): SharedArrayBuffer => {
  const lines = readFileSync(resolve(`gpt-tokenizer/data/${tokenizer}.tiktoken`), 'latin1').trimEnd().split('\n');
  const tokens = lines.map((line) => {
    const space = line.indexOf(' ');
    return { bytes: Buffer.from(line.slice(0, space), 'base64'), rank: Number(line.slice(space + 1)) };
  });
  return buildVocabulary(tokens).memory;
};

export const openEncoding = (tokenizer: TokenizerName, vocabulary: SharedArrayBuffer): Encoding => ({ vocabulary: openVocabulary(vocabulary), words: wordsOf[tokenizer] });

/** This thread's: what they hold beside the shared block is scratch space. */
const counters = new Map<TokenizerName, TextCounter>();

export const counterOf = (tokenizer: TokenizerName, vocabulary: SharedArrayBuffer): TextCounter => {
  const known = counters.get(tokenizer);
  if (known) return known;
  const made = createTextCounter(openEncoding(tokenizer, vocabulary));
  counters.set(tokenizer, made);
  return made;
};

export const countWith = (counter: TextCounter, texts: readonly string[], isWhole: boolean, tokensMax: number): CountOutput => {
  let tokens = 0;
  let end = 0;
  for (const [index, text] of texts.entries()) {
    const counted = countText(counter, text, { isWhole: isWhole || index < texts.length - 1, tokensMax: tokensMax - tokens });
    tokens += counted.tokens;
    end = counted.end;
    if (tokens >= tokensMax) break;
  }
  return { tokens, end };
};

export const countTexts = ({ tokenizer, vocabulary, texts, isWhole, tokensMax }: CountInput): CountOutput =>
  countWith(counterOf(tokenizer, vocabulary), texts, isWhole, tokensMax);

export const countPrompt = ({ tokenizer, vocabulary, raw, tokensMax, offset }: PromptInput): PromptOutput => {
  const { texts, ...parts } = promptPartsOf(JSON.parse(Buffer.from(raw).toString('utf8')) as object);
  return { ...parts, textTokens: countSample(counterOf(tokenizer, vocabulary), texts, tokensMax, offset) };
};

/** All of the texts where they fit into one count's work, else a sample of them. */
const countSample = (counter: TextCounter, texts: readonly string[], tokensMax: number, offset: number): number => {
  const sample = sampleOf(texts, countedSize, offset);
  const { tokens } = countWith(counter, sample.texts, true, Math.ceil(tokensMax / sample.scale));
  return Math.min(tokensMax, Math.ceil(tokens * sample.scale));
};
