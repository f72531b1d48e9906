import { parseConfig, processSettings, readEnvironment, setting } from '@kilotoken/platform';
import { z } from 'zod';

const originsRight = 'must be origins such as https://app.example.com, with commas between them';
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text.toLowerCase();

const origins = () =>
  z
    .string()
    .transform((text) => new Set(text.split(',').map((origin) => origin.trim().toLowerCase())))
    .refine((values) => [...values].every(isOrigin), originsRight)
    .optional();

export const apiSettings = z.object({
  ...processSettings,
  API_PORT: setting.port(8081),
  API_METRICS_PORT: setting.port(8086),
  APP_DATABASE_URL: setting.databaseUrl(),
  KILOTOKEN_MODE: z.enum(['development', 'production'], { error: 'must be development or production' }).prefault('development'),
  API_CORS_ORIGINS: origins(),
  /** Base URL that customers give to their SDK. The console shows it, and its playground calls it. */
  API_GATEWAY_URL: z.url({ protocol: /^https?$/, error: 'must be an address such as https://api.example.com/v1' }).prefault('http://127.0.0.1:8080/v1'),
});

export type ApiSettings = z.infer<typeof apiSettings>;

export const readApiSettings = (): ApiSettings => parseConfig(apiSettings, readEnvironment());
