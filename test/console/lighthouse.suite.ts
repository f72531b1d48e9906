import { spawn } from 'node:child_process';
import { expect } from '@jest/globals';
import OpenAI from 'openai';
import { demoSlug, type ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

const RUN_MS_MAX = 300_000;
const DRAWN_MS_MAX = 60_000;

/** Runs `npm run lighthouse` as a person does, once for each form instead of five times. */
const measure = async (environment: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> => {
  const child = spawn(process.execPath, ['tools/lighthouse.mjs', '--runs', '1'], { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
};

export const proveLighthouse = (world: () => ConsoleWorld): void => {
  itNeeds('chromium')(
    'the signed-in overview draws its chart by itself soon after the first request, and reaches 95 of Lighthouse in accessibility',
    async () => {
      const { home } = world();
      const { gatewayUrl, apiKey, loopbackModel } = home.quickstart();
      const page = await world().pageOf('owner');
      await page.goto(`/o/${demoSlug}`);
      await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
      const sdk = new OpenAI({ baseURL: gatewayUrl, apiKey, maxRetries: 0 });
      await sdk.chat.completions.create({ model: loopbackModel, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 8 });
      await page.locator('figure svg').waitFor({ timeout: DRAWN_MS_MAX });
      await page.getByText('a day', { exact: false }).first().waitFor({ timeout: DRAWN_MS_MAX });
      const { code, output } = await measure(home.environment);
      expect(output).toMatch(/^desktop, /m);
      expect(output).toMatch(/^mobile, /m);
      expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('Gate: accessibility of the desktop form at least 95: reached.') });
    },
    RUN_MS_MAX,
  );
};
