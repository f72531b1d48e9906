import { join } from 'node:path';
import { readEnvironment, type Environment } from '@kilotoken/platform';
import { stopOrphanedPostgres } from '../postgres/index.js';
import { stopOrphans } from './app-process.js';
import { gatewayUrlOf, publicUrlOf } from './apps.js';
import { prepareContent } from './content.js';
import { createPostgres, hasEmbeddedDatabase, openDatabase } from './database.js';
import { takeFolderLock } from './folder-lock.js';
import { openHome, type Home } from './home.js';
import { createSupervisorSettings, Installation } from './installation.js';
import { explainFailure, StartInterrupted } from './launcher-error.js';
import { startLogRotation } from './log-rotation.js';
import { findModel } from './model.js';
import { offerHistory } from './offer-history.js';
import { refuseTakenPorts } from './ports.js';
import { writeQuickstart, type Quickstart } from './quickstart.js';
import { ensureSecrets } from './secrets.js';
import { readLauncherSettings, type LauncherSettings } from './settings.js';
import { listenForStop, untilAborted, type StopRequest } from './stop-request.js';
import { printSummary } from './summary.js';
import { runStep, type Terminal } from './terminal.js';

/** After a second Ctrl-C the launcher exits by this time even if something hangs; the next start cleans up. */
const FORCED_EXIT_MS = 20_000;

/** Runs one installation until a signal stops it, then ends this process. */
export async function launch(terminal: Terminal): Promise<never> {
  const startedMs = performance.now();
  const environment = readEnvironment();
  const stop = listenForStop(() => terminal.notice('Stopping after running requests have ended. Press Ctrl-C again to stop at once.'));
  stop.forced.addEventListener('abort', () => setTimeout(() => process.exit(stop.exitCode()), FORCED_EXIT_MS).unref());
  let home = '.kilotoken';
  try {
    const settings = readLauncherSettings(environment, process.cwd());
    home = settings.KILOTOKEN_HOME;
    const end = await run(terminal, settings, environment, stop, startedMs);
    const isOrderly = end === 'stopped' && !stop.forced.aborted;
    terminal.line(isOrderly ? '  Stopped.' : stop.forced.aborted ? '  Stopped by force.' : '  Stopped before the start was complete.');
    process.exit(isOrderly ? 0 : stop.exitCode());
  } catch (error) {
    terminal.problem(explainFailure(error, home));
    process.exit(1);
  }
}

async function run(terminal: Terminal, settings: LauncherSettings, environment: Environment, stop: StopRequest, startedMs: number): Promise<'stopped' | 'interrupted'> {
  const home = openHome(settings.KILOTOKEN_HOME);
  takeFolderLock(home.folder);
  const orphans = [...(await stopOrphans(home)), ...((await stopOrphanedPostgres(home.databaseFolder)) ? ['postgres'] : [])];
  if (orphans.length > 0) terminal.notice(`The last launcher was killed. Stopped the processes that it left running: ${orphans.join(', ')}.`);
  await refuseTakenPorts(settings);

  const secrets = ensureSecrets(home.secretsFile, hasEmbeddedDatabase(home));
  const supervisor = createSupervisorSettings((sentence) => terminal.notice(sentence));
  const postgres = await createPostgres(home, secrets, settings, supervisor);
  const installation = new Installation(postgres, supervisor);
  const stopLogRotation = startLogRotation(home.logs);
  try {
    await startEverything({ terminal, settings, environment, home, installation, postgres, secrets, stop, startedMs });
    await untilAborted(stop.requested);
    return 'stopped';
  } catch (error) {
    // A start that fails because a signal stopped it needs no explanation.
    if (!stop.requested.aborted && !(error instanceof StartInterrupted)) throw error;
    return 'interrupted';
  } finally {
    await installation.stop(settings.DRAIN_MS, stop.forced);
    stopLogRotation();
  }
}

interface Start {
  terminal: Terminal;
  settings: LauncherSettings;
  environment: Environment;
  home: Home;
  installation: Installation;
  postgres: Awaited<ReturnType<typeof createPostgres>>;
  secrets: ReturnType<typeof ensureSecrets>;
  stop: StopRequest;
  startedMs: number;
}

async function startEverything(start: Start): Promise<void> {
  const { terminal, settings, home, installation, postgres, secrets, stop } = start;
  const database = await openDatabase(terminal, postgres, secrets, settings);
  refuseToGoOn(stop);
  await offerHistory({ terminal, settings, secrets, database, signal: stop.requested });
  const model = await unlessStopped(stop, findModel(terminal, settings, home));
  const localModel = model && { id: model.id, contextWindow: settings.WORKER_CONTEXT_TOKENS };
  const content = await unlessStopped(stop, prepareContent({ terminal, settings, home, ownerUrl: database.ownerUrl, controlUrl: database.controlUrl, localModel }));
  refuseToGoOn(stop);
  await runStep(terminal, 'processes', 'starting', async (step) => {
    const context = { settings, secrets, home, serviceUrls: database.serviceUrls, auditDatabaseUrl: database.auditUrl, modelPath: model?.path ?? null, environment: start.environment };
    await unlessStopped(stop, installation.startApps(context, (ready) => step.update(`ready: ${ready.join(', ')}`)));
    return { result: undefined, detail: 'gateway, api, metering, backoffice, inference-worker' };
  });
  refuseToGoOn(stop);
  const quickstart: Quickstart = {
    ...content,
    ...addressesOf(settings),
    model: content.engineModel ?? content.localModel ?? content.loopbackModel,
    databaseUrl: database.ownerUrl,
    controlDatabaseUrl: database.controlUrl,
    mailFolder: settings.SMTP_URL === undefined ? join(home.folder, 'mail') : null,
  };
  writeQuickstart(home.quickstartFile, quickstart);
  printSummary(terminal, home, quickstart, performance.now() - start.startedMs);
}

/** The addresses of gateway and console, and of the faces that programs use. */
function addressesOf(settings: LauncherSettings): Pick<Quickstart, 'gatewayUrl' | 'consoleUrl' | 'graphqlUrl' | 'graphqlWsUrl' | 'signInUrl'> {
  const publicUrl = publicUrlOf(settings);
  return {
    gatewayUrl: gatewayUrlOf(settings),
    consoleUrl: `${publicUrl}/`,
    graphqlUrl: `${publicUrl}/graphql`,
    graphqlWsUrl: `${publicUrl.replace(/^http/, 'ws')}/graphql`,
    signInUrl: `${publicUrl}/api/auth/sign-in/email`,
  };
}

/** Rejects at once when a stop is requested. The work is abandoned, because the process is about to end. */
async function unlessStopped<Result>(stop: StopRequest, work: Promise<Result>): Promise<Result> {
  return Promise.race([work, untilAborted(stop.requested).then(() => Promise.reject(new StartInterrupted()))]);
}

function refuseToGoOn(stop: StopRequest): void {
  if (stop.requested.aborted) throw new StartInterrupted();
}
