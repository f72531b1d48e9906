import type { ChatCompletionRequest } from './chat-completion.js';
import type { ChatMessage } from './chat-message.js';
import type { CompletionRequest } from './completion.js';
import { jsonBytes, printedBytes, textBytes } from './text-bound.js';

/**
 * A proven upper bound of the tokens of a prompt, from its bytes alone. It rests on three facts:
 *
 * 1. Every token of a text covers at least one byte of it: true for byte-level BPE, and for SentencePiece with byte
 *    fallback but for a prefix, which the overhead of a message covers.
 * 2. Some tokenizers normalize first (NFC in Qwen's, NFKC in others'), which can lengthen a text: up to 11 times, so a
 *    text that is not ASCII counts as the longest of its forms.
 * 3. What a template adds is bounded by the lane's overhead: by message, part and tool, and once. Templates print tools and
 *    schemas as indented JSON, calls and tool results as one line of it; those count as the longest of such prints.
 *
 * What is not text (images, audio, files), or adds a text that we do not see (web search), is bounded by the model's
 * context window alone; and nothing is counted beyond it.
 */
export type TemplateOverhead = {
  readonly tokensPerMessage: number;
  readonly tokensPerPart: number;
  /** A tool's own framing; the first tool also costs `tokensForTools`, the template's instructions how to call one. */
  readonly tokensPerTool: number;
  readonly tokensForTools: number;
  /** Default system prompt, start of the answer, and the like. */
  readonly tokensFixed: number;
};

/** Enough for the templates of the common open models; a lane whose template says more declares its own. */
export const defaultTemplateOverhead: TemplateOverhead = {
  tokensPerMessage: 16,
  tokensPerPart: 4,
  tokensPerTool: 16,
  tokensForTools: 512,
  tokensFixed: 64,
};

/** The marks around a legacy prompt, which no template dresses: beginning of text, and those of a suffix. */
const tokensPerPrompt = 8;

/**
 * For a chat a number below `contextWindow`, or the word for it. For legacy prompts the sum over all of them, each at most
 * the window; how many there are, the request itself says.
 */
export const promptTokensBound = (
  request: ChatCompletionRequest | CompletionRequest,
  overhead: TemplateOverhead = defaultTemplateOverhead,
  contextWindow = Number.MAX_SAFE_INTEGER,
): number | 'context_window' => {
  if ('prompt' in request) return legacyBound(request, contextWindow);
  const bound = chatBound(request, overhead, contextWindow);
  return bound < contextWindow ? bound : 'context_window';
};

/**
 * What predicted outputs may add to an answer: tokens of the prediction that the model rejected are billed as output, and
 * `max_tokens` does not bound them.
 */
export const predictionTokensBound = ({ prediction, n = 1 }: ChatCompletionRequest): number => {
  if (!prediction) return 0;
  const { content } = prediction;
  return n * (typeof content === 'string' ? textBytes(content) : content.reduce((sum, part) => sum + textBytes(part.text), 0));
};

const legacyBound = ({ prompt, suffix = '' }: CompletionRequest, contextWindow: number): number => {
  const perPrompt = tokensPerPrompt + textBytes(suffix, contextWindow);
  const prompts = typeof prompt === 'string' ? [prompt] : prompt;
  return prompts.reduce((sum, text) => sum + Math.min(perPrompt + textBytes(text, contextWindow), contextWindow), 0);
};

const chatBound = (request: ChatCompletionRequest, overhead: TemplateOverhead, contextWindow: number): number => {
  if (request.web_search_options) return Infinity;
  let bound = overhead.tokensFixed;
  for (const message of request.messages) {
    bound += overhead.tokensPerMessage + messageBound(message, overhead, contextWindow);
    if (bound >= contextWindow) return bound;
  }
  const tools = [...(request.tools ?? []), ...(request.functions ?? [])];
  if (tools.length > 0) bound += overhead.tokensForTools + tools.length * overhead.tokensPerTool + jsonBytes(tools, contextWindow);
  if (request.response_format && request.response_format.type !== 'text') {
    bound += overhead.tokensForTools + jsonBytes(request.response_format, contextWindow);
  }
  // A template may name the tool that has to be called, or those that may be.
  for (const choice of [request.tool_choice, request.function_call]) {
    if (typeof choice === 'object') bound += jsonBytes(choice, contextWindow);
  }
  return bound;
};

/** Infinite when the message holds something that is not text. */
const messageBound = (message: ChatMessage, overhead: TemplateOverhead, contextWindow: number): number => {
  const { content } = message;
  // Templates print what tools answered as a JSON string, whose escapes are longer than the text.
  const bytesOf = message.role === 'tool' || message.role === 'function' ? printedBytes : textBytes;
  let bound = typeof message.name === 'string' ? textBytes(message.name, contextWindow) : 0;
  if (typeof content === 'string') bound += bytesOf(content, contextWindow);
  else if (content) {
    for (const part of content) {
      if (part.type !== 'text' && part.type !== 'refusal') return Infinity;
      bound += overhead.tokensPerPart + bytesOf(part.type === 'text' ? part.text : part.refusal, contextWindow);
      if (bound >= contextWindow) return bound;
    }
  }
  if (message.role === 'tool') bound += textBytes(message.tool_call_id, contextWindow);
  return message.role === 'assistant' ? bound + answerBound(message, overhead, contextWindow) : bound;
};

/** What an assistant message has beside its content. */
const answerBound = (
  message: Extract<ChatMessage, { role: 'assistant' }>,
  overhead: TemplateOverhead,
  contextWindow: number,
): number => {
  if (message.audio) return Infinity;
  let bound = textBytes(message.refusal ?? '', contextWindow) + textBytes(message.reasoning_content ?? '', contextWindow);
  const calls: { name: string; written: string; id: string }[] = [];
  if (message.function_call) calls.push({ name: message.function_call.name, written: message.function_call.arguments, id: '' });
  for (const call of message.tool_calls ?? []) {
    if (call.type === 'function') calls.push({ name: call.function.name, written: call.function.arguments, id: call.id });
    else calls.push({ name: call.custom.name, written: call.custom.input, id: call.id });
  }
  for (const { name, written, id } of calls) {
    bound += overhead.tokensPerTool + textBytes(name, contextWindow) + textBytes(id, contextWindow) + printedBytes(written, contextWindow);
  }
  return bound;
};
