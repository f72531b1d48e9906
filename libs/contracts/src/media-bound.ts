import type { ChatCompletionRequest } from './chat-completion.js';
import type { ChatMessage } from './chat-message.js';

/**
 * What of a prompt is not text. No bytes prove how many tokens a vendor makes of it, so there are two counts: the hold takes the
 * context window, unless nothing but images is there and the model says what one costs at most; token limits and estimates take
 * the documented counts below.
 */
export type PromptMedia = {
  readonly images: number;
  /** Sound, files and searches by the counts below; infinite where their size is not in the request. */
  readonly tokens: number;
  /** Whether nothing but text and images is there, and the request does not set how images are cut into tokens. */
  readonly isBounded: boolean;
};

/** An image where the model does not say: OpenAI's 85 tokens and 170 for each of the eight tiles of 2,048 × 768. */
export const imageTokensDefault = 1_445;
/** A file is text, or pages that vendors read as text and as images. */
export const fileBytesPerToken = 2;
/** OpenAI hears 10 tokens a second. The least bytes of a second: MP3 at 32 kbit/s, WAV at 8,000 samples of 16 bits. */
export const audioBytesPerToken = { mp3: 400, wav: 1_600 } as const;
/** OpenAI charges a search as a fixed block where it charges one. */
export const searchTokens = 8_000;

export const noMedia: PromptMedia = { images: 0, tokens: 0, isBounded: true };

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
