import type { Home } from './home.js';
import type { LauncherSettings } from './settings.js';

export interface Content { apiKey: string | null; benchApiKey: string | null; models: string[]; localModel: string | null; loopbackModel: string | null; }
export async function seed(_home: Home, _settings: LauncherSettings): Promise<Content> {
  return { apiKey: null, benchApiKey: null, models: [], localModel: null, loopbackModel: null };
}
