import { ConfigError, parseConfig, processSettings, readEnvironment, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';
import { parseNetworks } from './sign-in/client-address.js';

const isNetworks = (text: string): boolean => {
  try {
    return parseNetworks(text).length > 0;
  } catch {
    // ipaddr.js throws for what is no address.
    return false;
  }
};

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
  WEBHOOK_ALLOW_PRIVATE: z.enum(['0', '1'], { error: 'must be 0 or 1' }).prefault('0').transform((text) => text === '1'),
  /** The address of the console in browsers. Unset: this machine's, at API_PORT. */
  API_PUBLIC_URL: setting.publicUrl().optional(),
  /** Proxies that are believed about whom they speak for. */
  API_TRUSTED_PROXIES: z.string().refine(isNetworks, 'must be addresses or networks such as 10.0.0.0/8, with commas between them').optional(),
  /** The first key encrypts stored secrets and signs cookies; all decrypt. */
  KILOTOKEN_SECRET_KEY: setting.secretKeys(),
});

export type ApiSettings = z.infer<typeof apiSettings> & { readonly API_PUBLIC_URL: string };

/** The settings with the public address filled in. Production needs it said. */
export const completeApiSettings = (settings: z.infer<typeof apiSettings>): ApiSettings => {
  const { API_PUBLIC_URL: publicUrl, API_PORT: port, KILOTOKEN_MODE: mode } = settings;
  if (publicUrl === undefined && mode === 'production') throw new ConfigError(['API_PUBLIC_URL is not set: in production it must be the address that browsers use, such as https://console.example.com']);
  return { ...settings, API_PUBLIC_URL: publicUrl ?? `http://127.0.0.1:${port}` };
};

export const readApiSettings = (environment: Environment = readEnvironment()): ApiSettings => completeApiSettings(parseConfig(apiSettings, environment));
