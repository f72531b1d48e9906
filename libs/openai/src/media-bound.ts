import { audioBytesPerToken, fileBytesPerToken, noMedia, type PromptMedia, searchTokens } from '@kilotoken/contracts';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { ChatMessage } from './chat-message.js';

type Part = Extract<Extract<ChatMessage, { role: 'user' }>['content'], readonly unknown[]>[number];

export const mediaOf = ({ messages, mm_processor_kwargs: processing, web_search_options: search }: ChatCompletionRequest): PromptMedia => {
  let images = 0;
  let tokens = search ? searchTokens : 0;
  let isBounded = !search;
  for (const message of messages) {
    const { content } = message;
    // An id stands for a sound at the vendor.
    if (message.role === 'assistant' && message.audio?.id != null) [tokens, isBounded] = [Infinity, false];
    if (!Array.isArray(content)) continue;
    for (const part of content as readonly Part[]) {
      if (part.type === 'image_url') images += 1;
      else if (part.type === 'input_audio' || part.type === 'file') [tokens, isBounded] = [tokens + mediaTokensOf(part), false];
    }
  }
  if (images > 0 && processing) isBounded = false;
  return images === 0 && tokens === 0 && isBounded ? noMedia : { images, tokens, isBounded };
};

const mediaTokensOf = (part: Extract<Part, { type: 'input_audio' | 'file' }>): number => {
  if (part.type === 'input_audio') return bytesOf(part.input_audio.data) / audioBytesPerToken[part.input_audio.format];
  return part.file.file_data == null ? Infinity : bytesOf(part.file.file_data) / fileBytesPerToken;
};

/** Of base64; an address does not tell the size of what is there. */
const bytesOf = (data: string): number => (/^https?:/.test(data.slice(0, 6)) ? Infinity : Math.ceil(data.length * 0.75));
