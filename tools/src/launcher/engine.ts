import { engineServerOf, type EngineServer } from '@kilotoken/inference';
import { applyListings, readListedModels, readModelIdsOfFile } from '@kilotoken/marketplace';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { ownMachineCost, workerListing } from '../demo-listings.js';
import { LauncherError } from './launcher-error.js';
import type { LauncherSettings } from './settings.js';
import { runStep, type Terminal } from './terminal.js';

/** Setting WORKER_ENGINE_URL puts the engine's model on sale; removing the setting retires it. */
export interface EngineSource {
  readonly terminal: Terminal;
  readonly prisma: ControlClient;
  readonly settings: LauncherSettings;
  readonly workerUrl: string;
}

const answerMsMax = 5_000;

/** Returns the id of the model on sale; null without an engine, or if another listing sells a model of that name. */
export const sellEngine = async ({ terminal, prisma, settings, workerUrl }: EngineSource): Promise<string | null> => {
  const server = engineServerOf(settings);
  // The launcher has already refused a missing setting.
  if (server === null || typeof server === 'string') {
    await applyListings(prisma, 'engine', []);
    return null;
  }
  return runStep(terminal, 'engine', `putting ${server.modelId} on sale`, async () => {
    const notices = await describeSilence(server);
    const soldBy = (await readListedModels(prisma)).get(server.modelId) ?? 'engine';
    if (soldBy !== 'engine') {
      await applyListings(prisma, 'engine', []);
      return { result: null, detail: `another listing sells ${server.modelId}, at its own prices`, notices };
    }
    const { WORKER_ENGINE_INPUT_PRICE: input, WORKER_ENGINE_OUTPUT_PRICE: output } = settings;
    const model = { id: server.modelId, contextWindow: server.contextTokens };
    await applyListings(prisma, 'engine', [workerListing(model, workerUrl, { sale: [input, output], cost: ownMachineCost })]);
    return { result: server.modelId, detail: `${server.modelId} for ${input} and ${output} USD per million tokens`, notices };
  });
};

/** Retires the engine's listing of a model that the lanes file also lists, so that the file can take its name. */
export const giveWayToFile = async (prisma: ControlClient, file: string): Promise<void> => {
  const listed = await readListedModels(prisma);
  if ((await readModelIdsOfFile(file)).some((id) => listed.get(id) === 'engine')) await applyListings(prisma, 'engine', []);
};

/** Notices for a person who waits: the worker is ready only when its engine answers. */
const describeSilence = async ({ url, key }: EngineServer): Promise<string[]> => {
  try {
    const response = await fetch(`${url}/models`, { headers: key === null ? {} : { authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(answerMsMax) });
    await response.body?.cancel();
    if (response.ok) return [];
    if (response.status === 401 || response.status === 403) throw new LauncherError(`The engine at ${url} refuses the key in WORKER_ENGINE_KEY (status ${response.status}). Correct it, or unset WORKER_ENGINE_URL.`);
    return [`The engine at ${url} answers GET /models with ${response.status}. The start waits until it answers with 200.`];
  } catch (error) {
    if (error instanceof LauncherError) throw error;
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message || (error.cause as NodeJS.ErrnoException).code : String(error);
    return [`The engine at ${url} does not answer (${reason}). The start waits for it; WORKER_ENGINE_URL must end in its version, such as /v1.`];
  }
};
