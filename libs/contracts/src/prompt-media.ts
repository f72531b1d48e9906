/**
 * The images, sound and files of a prompt. Their bytes do not bound a vendor's tokens, so there are two counts: the hold takes the
 * context window, unless the prompt has only images and the model bounds one; token limits and estimates take the documented counts
 * below.
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
