import * as z from 'zod';
import { byType, faultAt, itemsOf, mapped, parseImageUrl, parseMediaData, parsePublicUrl, textReadBy } from '@kilotoken/contracts';

/**
 * The content parts of messages. Messages and their parts are open: clients send back what SDKs and vendors added to them, so a key that
 * we do not know is left out. A part of an unknown type is refused, since it is content.
 */
const partsMax = 2048;
export const partsBounds = { min: 1, max: partsMax };

/** Anthropic's mark of a prefix to cache, which its vendors take on parts, messages and tools. */
export const cacheControl = z.object({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).nullish() }).nullish();

/** OpenAI's. */
const cacheBreakpoint = z.object({ mode: z.literal('explicit') }).nullish();
const marks = { prompt_cache_breakpoint: cacheBreakpoint, cache_control: cacheControl };

/** An object without the keys whose value says nothing: null and absent are one. */
export const withoutNulls = <T extends object>(value: T): T => {
  for (const key in value) {
    if (value[key] == null) return Object.fromEntries(Object.entries(value).filter(([, field]) => field != null)) as T;
  }
  return value;
};

export const textPart = z.object({ type: z.literal('text'), text: z.string(), ...marks });

const imageUrl = textReadBy(parseImageUrl, {
  code: 'invalid_image_url',
  message: 'The URL of an image must be http(s) to a public host, or data:image/…;base64 data.',
});
const image = z.object({ url: imageUrl, detail: z.enum(['auto', 'low', 'high']).nullish() });

const imagePart = z.object({
  type: z.literal('image_url'),
  // A text by itself is the address, as other servers take it.
  image_url: byType({ object: mapped(image, withoutNulls), string: mapped(imageUrl, (url): z.output<typeof image> => ({ url })) }),
  ...marks,
});

const bytesRefusal = { code: 'invalid_value', message: 'Expected base64, a data: URL with base64, or an http(s) address of a public host.' } as const;
const bytes = textReadBy(parseMediaData, bytesRefusal);

const audioPart = z.object({
  type: z.literal('input_audio'),
  input_audio: z.object({ data: bytes, format: z.enum(['wav', 'mp3']) }),
  ...marks,
});

const file = z
  .object({
    file_data: bytes.nullish(),
    file_id: z.string().nullish(),
    /** Not OpenAI's: a file that the vendor fetches. */
    file_url: textReadBy(parsePublicUrl, { code: 'invalid_value', message: 'Expected an http(s) address of a public host.' }).nullish(),
    filename: z.string().nullish(),
  })
  .check(({ value, issues }) => {
    if (value.file_data == null && value.file_id == null && value.file_url == null) {
      issues.push(faultAt('missing_required_parameter', ['file_data'], 'A file needs file_data or file_id.'));
    }
  });

const filePart = z.object({ type: z.literal('file'), file: mapped(file, withoutNulls), ...marks });

const hasKeys = (value: unknown, count: number): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false;
  let keys = 0;
  for (const _ in value) if (++keys > count) return false;
  return keys === count;
};

/** Exactly `{ type: 'text', text }`. */
export const isPlainText = (value: unknown): value is z.output<typeof textPart> =>
  hasKeys(value, 2) && value['type'] === 'text' && typeof value['text'] === 'string';

/** Exactly `{ role, content }` with a text. */
export const isPlainTurn = (value: unknown, roles: ReadonlySet<unknown>): boolean =>
  hasKeys(value, 2) && typeof value['content'] === 'string' && roles.has(value['role']);

const text = z.string();
export const textContent = byType({ string: text, array: itemsOf(mapped(textPart, withoutNulls), partsBounds, isPlainText) });

const userPart = mapped(z.discriminatedUnion('type', [textPart, imagePart, audioPart, filePart]), withoutNulls);
export const userContent = byType({ string: text, array: itemsOf(userPart, partsBounds, isPlainText) });
