import { answerFields, jsonBytes, printedBytes, textBytes } from '@kilotoken/contracts';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { ChatMessage } from './chat-message.js';
import type { CompletionRequest } from './completion.js';

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
 * `media-bound` counts the rest: images, sound, files, web searches.
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
 * The bound of the text of each prompt: one number for a chat, one for each prompt of a legacy completion. The context
 * window is not looked at: a bound above it means the window.
 */
export const promptTokensBounds = (request: ChatCompletionRequest | CompletionRequest, overhead: TemplateOverhead = defaultTemplateOverhead): number[] =>
  'prompt' in request ? legacyBounds(request) : [chatBound(request, overhead)];

/**
 * The tokens that predicted outputs may add to an answer: tokens of the prediction that the model rejected are billed as output,
 * and `max_tokens` does not bound them.
 */
export const predictionTokensBound = ({ prediction, n = 1 }: ChatCompletionRequest): number => {
  if (!prediction) return 0;
  const { content } = prediction;
  return n * (typeof content === 'string' ? textBytes(content) : content.reduce((sum, part) => sum + textBytes(part.text), 0));
};

const legacyBounds = ({ prompt, suffix = '' }: CompletionRequest): number[] => {
  const perPrompt = tokensPerPrompt + textBytes(suffix);
  const prompts = typeof prompt === 'string' ? [prompt] : prompt;
  return prompts.map((text) => perPrompt + textBytes(text));
};

const chatBound = (request: ChatCompletionRequest, overhead: TemplateOverhead): number => {
  let bound = overhead.tokensFixed;
  for (const message of request.messages) {
    bound += overhead.tokensPerMessage + messageBound(message, overhead);
  }
  const tools = [...(request.tools ?? []), ...(request.functions ?? [])];
  if (tools.length > 0) bound += overhead.tokensForTools + tools.length * overhead.tokensPerTool + jsonBytes(tools);
  if (request.response_format && request.response_format.type !== 'text') {
    bound += overhead.tokensForTools + jsonBytes(request.response_format);
  }
  // A template may name the tool that has to be called, or those that may be.
  for (const choice of [request.tool_choice, request.function_call]) {
    if (typeof choice === 'object') bound += jsonBytes(choice);
  }
  return bound + extensionBound(request, overhead);
};

/** Text that parameters of other servers add to a prompt: documents, template arguments, and formats that are explained to the model. */
const extensionBound = (request: ChatCompletionRequest, overhead: TemplateOverhead): number => {
  let bound = 0;
  if (request.documents) bound += overhead.tokensForTools + request.documents.length * overhead.tokensPerTool + jsonBytes(request.documents);
  // A template may print an argument with every message.
  if (request.chat_template_kwargs) bound += (request.messages.length + 1) * jsonBytes(request.chat_template_kwargs);
  for (const name of printedFormats) {
    const format = request[name];
    if (typeof format === 'object') bound += overhead.tokensForTools + jsonBytes(format);
    else if (typeof format === 'string') bound += overhead.tokensForTools + printedBytes(format);
  }
  return bound;
};

const printedFormats = ['guided_json', 'guided_choice', 'guided_regex', 'guided_grammar', 'structured_outputs', 'regex', 'ebnf', 'grammar'] as const;

const messageBound = (message: ChatMessage, overhead: TemplateOverhead): number => {
  const { content } = message;
  // Templates print what tools answered as a JSON string, whose escapes are longer than the text.
  const bytesOf = message.role === 'tool' || message.role === 'function' ? printedBytes : textBytes;
  let bound = typeof message.name === 'string' ? textBytes(message.name) : 0;
  if (typeof content === 'string') bound += bytesOf(content);
  else if (content) {
    for (const part of content) {
      bound += overhead.tokensPerPart;
      if (part.type === 'text') bound += bytesOf(part.text);
      else if (part.type === 'refusal') bound += bytesOf(part.refusal);
    }
  }
  if (message.role === 'tool') bound += textBytes(message.tool_call_id);
  return message.role === 'assistant' ? bound + answerBound(message, overhead) : bound;
};

/** The fields of an assistant message beside its content. */
const answerBound = (message: Extract<ChatMessage, { role: 'assistant' }>, overhead: TemplateOverhead): number => {
  let bound = textBytes(message.refusal ?? '') + textBytes(message.audio?.transcript ?? '') + fieldsBound(message);
  const calls: { name: string; written: string; id: string }[] = [];
  if (message.function_call) calls.push({ name: message.function_call.name, written: message.function_call.arguments, id: '' });
  for (const call of message.tool_calls ?? []) {
    bound += fieldsBound(call);
    if (call.type === 'function') calls.push({ name: call.function.name, written: call.function.arguments, id: call.id });
    else calls.push({ name: call.custom.name, written: call.custom.input, id: call.id });
  }
  for (const { name, written, id } of calls) {
    bound += overhead.tokensPerTool + textBytes(name) + textBytes(id) + printedBytes(written);
  }
  return bound;
};

/** Vendors' own fields, as a template or the vendor may print them. */
const fieldsBound = (value: { readonly [field: string]: unknown }): number => {
  let bound = 0;
  for (const name of answerFields) {
    const field = value[name];
    if (typeof field === 'string') bound += textBytes(field);
    else if (typeof field === 'object' && field !== null) bound += jsonBytes(field);
  }
  return bound;
};
