import { setting } from '@kilotoken/platform';
import { z } from 'zod';

/** The settings that name a server with OpenAI's API: the worker asks it, and whoever enters its model into the catalogue reads the same ones. */
const urlRight = "must be the address of a server with OpenAI's API, with its version, such as http://127.0.0.1:8000/v1";
const isEngineUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && !/[?#]/.test(text);
/** The model bounds the cache of a sequence; this bound only stops a typo from requesting terabytes. */
export const engineContextTokensMax = 1_048_576;

export const engineServerSettings = {
  WORKER_ENGINE_URL: z.string().refine(isEngineUrl, urlRight).transform((text) => text.replace(/\/+$/, '')).optional(),
  WORKER_ENGINE_MODEL: z.string().optional(),
  WORKER_ENGINE_MODEL_ID: z.string().optional(),
  WORKER_ENGINE_KEY: z.string().optional(),
  WORKER_ENGINE_CONTEXT_TOKENS: setting.wholeNumber({ fallback: 8_192, min: 64, max: engineContextTokensMax, unit: 'tokens' }),
};

type EngineServerSettings = z.infer<z.ZodObject<typeof engineServerSettings>>;

export interface EngineServer {
  readonly url: string;
  /** Its name there. */
  readonly upstreamModel: string;
  /** Its name here. */
  readonly modelId: string;
  readonly key: string | null;
  readonly contextTokens: number;
}

/** Null where no server is named; a text says which setting is missing. */
export const engineServerOf = (settings: EngineServerSettings): EngineServer | string | null => {
  const { WORKER_ENGINE_URL: url, WORKER_ENGINE_MODEL: upstreamModel } = settings;
  if (url === undefined) return null;
  if (upstreamModel === undefined) return "WORKER_ENGINE_MODEL is not set: must be the model's name at WORKER_ENGINE_URL";
  return { url, upstreamModel, modelId: settings.WORKER_ENGINE_MODEL_ID ?? upstreamModel, key: settings.WORKER_ENGINE_KEY ?? null, contextTokens: settings.WORKER_ENGINE_CONTEXT_TOKENS };
};
