import { applyLanesFile, describeKeyProblem, findKeyProblemsInFile } from '@kilotoken/marketplace';
import { operatorSession, readEnvironment, type Actor } from '@kilotoken/platform';
import { createControlClient, type ControlClient, type PrismaClient } from '@kilotoken/platform/prisma';
import { seedDemo } from '../seed.js';
import { originOf } from './apps.js';
import { giveWayToFile, sellEngine } from './engine.js';
import type { Home } from './home.js';
import type { Quickstart } from './quickstart.js';
import type { LauncherSettings } from './settings.js';
import { runStep, type Terminal } from './terminal.js';

/** Fills the database before the processes start: with the demo if it is wanted, the lanes of a file, and the worker's engine. */

export interface ContentSource {
  terminal: Terminal;
  settings: LauncherSettings;
  home: Home;
  ownerUrl: string;
  /** The control plane's login; null uses the owner's, because nobody has made one. */
  controlUrl: string | null;
  /** The model that the worker will run. */
  localModel: { id: string; contextWindow: number } | null;
}

/** The actor of the catalogue's changes at a start. */
const launcherActor: Actor = { kind: 'system', id: 'launcher', name: null };

export type Content = Pick<Quickstart, 'apiKey' | 'benchApiKey' | 'models' | 'engineModel' | 'localModel' | 'loopbackModel' | 'users' | 'serviceToken'>;

export async function prepareContent(source: ContentSource): Promise<Content> {
  const { terminal, settings, ownerUrl, controlUrl } = source;
  const prisma = createControlClient(controlUrl ?? ownerUrl, launcherActor, { applicationName: 'kilotoken-launcher', sessionOptions: operatorSession });
  try {
    const demo = await prepareDemo(source);
    if (settings.KILOTOKEN_LANES) await applyLanes(terminal, prisma, settings.KILOTOKEN_LANES);
    const engineModel = await sellEngine({ terminal, prisma, settings, workerUrl: originOf(settings, 'WORKER_PORT') });
    return { ...demo, engineModel, models: await listModels(prisma) };
  } finally {
    await prisma.$disconnect();
  }
}

/** A database of DATABASE_URL gets demo organizations and keys only with KILOTOKEN_DEMO=1. */
async function prepareDemo({ terminal, settings, home, ownerUrl, controlUrl, localModel }: ContentSource): Promise<Omit<Content, 'models' | 'engineModel'>> {
  const embedded = settings.DATABASE_URL === undefined;
  const wanted = settings.KILOTOKEN_DEMO === undefined ? embedded : settings.KILOTOKEN_DEMO === '1';
  if (!wanted) return { apiKey: null, benchApiKey: null, localModel: null, loopbackModel: null, users: [], serviceToken: null };
  return runStep(terminal, 'demo', 'seeding the demo organizations', async () => {
    const internalWorkerUrl = originOf(settings, 'WORKER_PORT');
    const { models: _models, ...demo } = await seedDemo({ databaseUrl: ownerUrl, controlUrl, home: home.folder, internalWorkerUrl, localModel, embedded });
    return { result: { ...demo, users: [...demo.users] }, detail: 'organizations demo (10 USD prepaid) and bench, and people of every role' };
  });
}

function applyLanes(terminal: Terminal, prisma: ControlClient, file: string): Promise<void> {
  return runStep(terminal, 'lanes', `reading ${file}`, async () => {
    await giveWayToFile(prisma, file);
    const steps = await applyLanesFile(prisma, file);
    // The gateway inherits this environment.
    const environment = readEnvironment();
    const notices = (await findKeyProblemsInFile(file, (variable) => environment[variable])).map(describeKeyProblem);
    return { result: undefined, detail: steps.length === 0 ? `${file}: nothing changed` : `${file}: ${steps.length} changes`, notices };
  });
}

async function listModels(prisma: PrismaClient): Promise<string[]> {
  const models = await prisma.model.findMany({ where: { retiredAt: null }, select: { id: true }, orderBy: { id: 'asc' } });
  return models.map(({ id }) => id);
}
