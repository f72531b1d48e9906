import { audioBytesPerToken, type Fields, fileBytesPerToken, isFields, searchTokens } from '@kilotoken/contracts';

/**
 * The parts of a request that make up a lane's prompt, for a count if the vendor gave none. Pure and tolerant: it reads parsed
 * requests and unchecked bodies alike. It includes everything that a client can send and a vendor charges for, because a client
 * that leaves early is billed by it.
 */
export interface PromptParts {
  /** Text in the order in which a template prints it; tools and schemas as JSON. */
  readonly texts: string[];
  /** The template's additions, and the bounds of files. */
  tokens: number;
  images: number;
  audioTokens: number;
  /** A part whose size the request does not tell, a file by its id: only the bound of the whole prompt is known. */
  isUnbounded: boolean;
}

/** OpenAI's cookbook counts 3 tokens a message, 1 for its role, 1 more for a name, and 3 that open the answer. */
const tokensPerMessage = 4;
const tokensPerName = 1;
const tokensForAnswer = 3;
/** The marks around a call, which every template has in its own form. */
const tokensPerCall = 4;
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const base64Bytes = (text: unknown): number => (typeof text === 'string' ? Math.ceil(text.length * 0.75) : 0);

const addText = (parts: PromptParts, value: unknown): void => {
  if (typeof value === 'string' && value !== '') parts.texts.push(value);
};

const addJson = (parts: PromptParts, value: unknown): void => {
  if (typeof value === 'object' && value !== null) parts.texts.push(JSON.stringify(value));
};

const addFile = (parts: PromptParts, { file_data: data, filename }: Fields): void => {
  addText(parts, filename);
  if (typeof data === 'string') parts.tokens += Math.ceil(base64Bytes(data) / fileBytesPerToken);
  else parts.isUnbounded = true;
};

const addAudio = (parts: PromptParts, { data, format }: Fields): void => {
  parts.audioTokens += Math.ceil(base64Bytes(data) / (format === 'wav' ? audioBytesPerToken.wav : audioBytesPerToken.mp3));
};

/** A text, or a list of parts, which may hold lists themselves where a vendor's thoughts are sent back. */
const depthMax = 2;

const addContent = (parts: PromptParts, content: unknown, depth = 0): void => {
  addText(parts, content);
  if (depth > depthMax) return;
  for (const part of listOf(content)) {
    if (!isFields(part)) continue;
    if (part['type'] === 'image_url' || part['image_url'] !== undefined) parts.images += 1;
    else if (isFields(part['input_audio'])) addAudio(parts, part['input_audio']);
    else if (isFields(part['file'])) addFile(parts, part['file']);
    for (const name of ['text', 'refusal', 'thinking', 'summary']) addContent(parts, part[name], depth + 1);
  }
};

const addCall = (parts: PromptParts, call: unknown): void => {
  if (!isFields(call)) return;
  parts.tokens += tokensPerCall;
  for (const name of ['name', 'arguments', 'input']) addText(parts, call[name]);
};

/** Vendors give one thought several names at once: it is sent back, and counted, once. */
const addReasoning = (parts: PromptParts, message: Fields): void => {
  for (const name of ['reasoning_content', 'reasoning', 'reasoning_details']) {
    const before = parts.texts.length;
    addContent(parts, message[name]);
    if (parts.texts.length > before) return;
  }
};

const addMessage = (parts: PromptParts, message: unknown): void => {
  if (!isFields(message)) return;
  parts.tokens += tokensPerMessage;
  if (typeof message['name'] === 'string') parts.tokens += tokensPerName;
  addText(parts, message['name']);
  addReasoning(parts, message);
  addContent(parts, message['content']);
  addText(parts, message['refusal']);
  for (const call of listOf(message['tool_calls'])) if (isFields(call)) addCall(parts, call['function'] ?? call['custom']);
  addCall(parts, message['function_call']);
  // An answer in sound, by its id: the vendor knows how long it was.
  if (isFields(message['audio'])) parts.isUnbounded = true;
};

/** Of a chat, or of a legacy completion, whose prompts each have the suffix. */
export const promptPartsOf = (request: object): PromptParts => {
  const fields = request as Fields;
  const parts: PromptParts = { texts: [], tokens: 0, images: 0, audioTokens: 0, isUnbounded: false };
  const { prompt } = fields;
  for (const text of Array.isArray(prompt) ? (prompt as unknown[]) : [prompt]) {
    addText(parts, text);
    if (typeof text === 'string') addText(parts, fields['suffix']);
  }
  if (!Array.isArray(fields['messages'])) return parts;
  parts.tokens += tokensForAnswer;
  for (const name of ['tools', 'functions']) if (listOf(fields[name]).length > 0) addJson(parts, fields[name]);
  for (const message of listOf(fields['messages'])) addMessage(parts, message);
  const format = fields['response_format'];
  if (isFields(format) && format['type'] !== 'text') addJson(parts, format);
  for (const name of ['tool_choice', 'function_call']) addJson(parts, fields[name]);
  if (isFields(fields['web_search_options'])) parts.tokens += searchTokens;
  return parts;
};
