import { AppError } from '@kilotoken/platform';
import type { LlamaModel, Token } from 'node-llama-cpp';
import { createChatTemplate, type PromptSegment, type RenderChat } from './chat-template.js';
import type { ChatTurn, Prompt } from './engine.js';

/** Turns prompts into tokens, exactly as they are computed and billed. Throws an AppError for a prompt that does not fit. */
export type TokenizePrompt = (prompt: Prompt) => Token[][];

/** In a GGUF's `tokenizer.ggml.token_type`: a token that means something to the model and is no text. */
const controlTokenType = 3;

const findControlTexts = (model: LlamaModel): string[] => {
  const types = model.fileInfo.metadata.tokenizer?.ggml?.token_type ?? [];
  return types.flatMap((type, token) => (Number(type) === controlTokenType ? [model.detokenize([token as Token], true)] : []));
};

/** The most bytes that one token stands for. Byte-level vocabularies write each byte as a character, so length is enough. */
const findTokenLengthMax = (model: LlamaModel): number => {
  const texts: readonly string[] = model.fileInfo.metadata.tokenizer?.ggml?.tokens ?? [];
  return texts.reduce((longest, text) => Math.max(longest, Buffer.byteLength(text)), 1);
};

const findTemplate = (model: LlamaModel): RenderChat | null => {
  const source = model.fileInfo.metadata.tokenizer?.chat_template;
  if (source === undefined) return null;
  const { bosString, eosString } = model.tokens;
  return createChatTemplate({ source, bosToken: bosString, eosToken: eosString, controlTexts: findControlTexts(model) });
};

const tooLong = (tokens: number | null, contextTokens: number): AppError =>
  new AppError({
    code: 'context_length_exceeded',
    kind: 'invalid',
    publicMessage:
      tokens === null
        ? `The prompt is longer than this model's context of ${contextTokens} tokens.`
        : `The prompt has ${tokens} tokens, but this model's context of ${contextTokens} tokens must also hold the answer.`,
  });

export const createPromptTokenizer = (model: LlamaModel, contextTokens: number): TokenizePrompt => {
  const render = findTemplate(model);
  const tokenLengthMax = findTokenLengthMax(model);
  const bytesMax = contextTokens * tokenLengthMax;
  const { bos, eos, shouldPrependBosToken } = model.tokens;

  const tokenize = (segments: readonly PromptSegment[]): Token[] => {
    // A prompt that cannot fit is not tokenized, because that blocks this process for a millisecond per few thousand characters.
    if (segments.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) > bytesMax) throw tooLong(null, contextTokens);
    const tokens = segments.flatMap(({ text, control }) => model.tokenize(text, control));
    if (shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos);
    const first = bos ?? eos;
    if (tokens.length === 0 && first !== null) tokens.push(first);
    if (tokens.length >= contextTokens) throw tooLong(tokens.length, contextTokens);
    return tokens;
  };

  const renderChat = (messages: readonly ChatTurn[]): PromptSegment[] => {
    if (render) return render(messages);
    throw new AppError({
      code: 'unsupported_parameter',
      kind: 'invalid',
      publicMessage: "This model's file has no chat template. Use POST /v1/completions.",
    });
  };

  return (prompt) =>
    prompt.kind === 'chat' ? [tokenize(renderChat(prompt.messages))] : prompt.texts.map((text) => tokenize([{ text, control: false }]));
};
