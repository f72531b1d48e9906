import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { LauncherHome, type Launcher } from '../support/launcher.js';
import { startEngineServer, type EngineServer } from '../support/engine-server.js';
import { instruct } from '../support/vendor-script.js';

/** A server with OpenAI's API behind the worker is on sale by the setting that names it. The tests share an installation and run in order. */

const TEST_MS_MAX = 240_000;
const ID = 'qwen3-8b';

describe("the worker's HTTP engine", () => {
  let server: EngineServer;
  let home: LauncherHome;
  let launcher: Launcher;
  let engine: Record<string, string>;

  beforeAll(async () => {
    server = await startEngineServer({ key: 'the-servers-key', model: 'Qwen/Qwen3-8B' });
    home = await LauncherHome.create('engine');
    engine = { WORKER_ENGINE_URL: `${server.baseUrl}/`, WORKER_ENGINE_MODEL: 'Qwen/Qwen3-8B', WORKER_ENGINE_MODEL_ID: ID, WORKER_ENGINE_KEY: 'the-servers-key', WORKER_ENGINE_CONTINUOUS_USAGE: '0' };
  });
  afterAll(async () => {
    await home.clear();
    await server.close();
  }, TEST_MS_MAX);

  const restart = async (settings: Record<string, string>): Promise<void> => {
    launcher?.signalNpm('SIGTERM');
    await launcher?.untilEnded();
    launcher = await home.startUp(settings);
  };
  const openai = () => new OpenAI({ baseURL: home.quickstart().gatewayUrl, apiKey: home.quickstart().apiKey, maxRetries: 0 });
  const modelIds = async () => (await openai().models.list()).data.map(({ id }) => id).sort();
  const ask = () => openai().chat.completions.create({ model: ID, messages: [{ role: 'user', content: instruct({ outputTokens: 7 }) }] });
  const costOf = (answer: object): number => Number((answer as { usage: { cost: number | string } }).usage.cost);

  it('is on sale at the default price, answers and is billed, with nothing but its settings', async () => {
    await restart(engine);
    expect(launcher.output).toContain(`${ID} for 0.10 and 0.40 USD per million tokens`);
    expect(launcher.output).toContain(`"model":"${ID}"`);
    expect(home.quickstart()).toMatchObject({ engineModel: ID, models: expect.arrayContaining([ID]) });
    expect(await modelIds()).toEqual(['loopback', ID]);
    const answer = await ask();
    const { prompt_tokens: input, completion_tokens: output } = answer.usage!;
    expect(output).toBe(7);
    expect(costOf(answer)).toBeCloseTo((input * 0.1 + output * 0.4) / 1e6, 12);
  }, TEST_MS_MAX);

  it('takes a new price from its settings, and gives way to a lanes file that lists its model', async () => {
    const file = join(home.folder, 'lanes', 'lanes.yaml');
    mkdirSync(join(home.folder, 'lanes'));
    const lane = `{ kind: worker, baseUrl: "http://127.0.0.1:${home.environment['WORKER_PORT']}/v1", upstreamModel: ${ID}, cost: { currency: USD, per: 1000000, input: "0", output: "0" } }`;
    writeFileSync(file, `models:\n  - { model: ${ID}, contextWindow: 8192, maxOutputTokens: 100, sale: { currency: USD, per: 1000000, input: "0", output: "2" }, lanes: [${lane}] }\n`);
    await restart({ ...engine, KILOTOKEN_LANES: file });
    expect(launcher.output).toContain(`another listing sells ${ID}`);
    expect(costOf(await ask())).toBeCloseTo((7 * 2) / 1e6, 12);

    // Without the file the setting sells it again.
    writeFileSync(file, 'models: []\n');
    await restart({ ...engine, KILOTOKEN_LANES: file, WORKER_ENGINE_INPUT_PRICE: '0', WORKER_ENGINE_OUTPUT_PRICE: '3' });
    expect(costOf(await ask())).toBeCloseTo((7 * 3) / 1e6, 12);
  }, TEST_MS_MAX);

  it('is retired when its settings are gone, and nothing else is', async () => {
    await restart({});
    expect(home.quickstart().models).toEqual(['loopback']);
    expect(await modelIds()).toEqual(['loopback']);
  }, TEST_MS_MAX);

  it('that refuses its key, or has no name, stops the start with advice', async () => {
    launcher.signalNpm('SIGTERM');
    await launcher.untilEnded();
    const refuse = async (settings: Record<string, string>): Promise<string> => {
      const refused = home.start(settings);
      expect(await refused.untilEnded()).toBe(1);
      return refused.output.replace(/\s+/g, ' ');
    };
    expect(await refuse({ ...engine, WORKER_ENGINE_KEY: 'another' })).toContain('refuses the key in WORKER_ENGINE_KEY (status 401)');
    expect(await refuse({ WORKER_ENGINE_URL: server.baseUrl })).toContain('WORKER_ENGINE_MODEL is not set');
    expect(await refuse({ ...engine, WORKER_ENGINE_OUTPUT_PRICE: 'cheap' })).toContain('WORKER_ENGINE_OUTPUT_PRICE is wrong');
    expect(await refuse({ ...engine, WORKER_ENGINE_MODEL_ID: 'no spaces' })).toContain('WORKER_ENGINE_MODEL_ID is wrong');
  }, TEST_MS_MAX);
});
