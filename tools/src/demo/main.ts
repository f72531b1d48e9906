import { readEnvironment } from '@kilotoken/platform';
import { stopOrphanedPostgres } from '../postgres/index.js';
import { stopOrphans } from '../launcher/app-process.js';
import { originOf, secretKeysOf } from '../launcher/apps.js';
import { createPostgres, hasEmbeddedDatabase, openDatabase } from '../launcher/database.js';
import { takeFolderLock } from '../launcher/folder-lock.js';
import { openHome } from '../launcher/home.js';
import { createSupervisorSettings, Installation } from '../launcher/installation.js';
import { explainFailure, LauncherError, StartInterrupted } from '../launcher/launcher-error.js';
import { ensureSecrets } from '../launcher/secrets.js';
import { readLauncherSettings, type LauncherSettings } from '../launcher/settings.js';
import { listenForStop, type StopRequest } from '../launcher/stop-request.js';
import { runStep, type Terminal } from '../launcher/terminal.js';
import { DemoOptionsError, readDemoOptions, type DemoOptions } from './options.js';
import { setAside, takePlace } from './place.js';
import { fillDatabase } from './fill.js';

/** `npm run demo`: starts the database as `npm start` does, loads a history, stops the database, and ends this process. */
export const loadDemo = async (terminal: Terminal, words: readonly string[]): Promise<never> => {
  const stop = listenForStop(() => terminal.notice('Stopping; the clock of the database is set back first.'));
  let home = '.kilotoken';
  try {
    const options = readDemoOptions(words);
    const settings = readLauncherSettings(readEnvironment(), process.cwd());
    home = settings.KILOTOKEN_HOME;
    await run(terminal, settings, options, stop);
    process.exit(0);
  } catch (error) {
    if (error instanceof StartInterrupted) {
      terminal.line('  Stopped. The history is incomplete: npm run demo -- --fresh begins again with an empty database.');
      process.exit(stop.exitCode());
    }
    const text = error instanceof DemoOptionsError ? error.message : explainFailure(error, home);
    process.stderr.write(`\nThe demo was not loaded.\n\n${text}\n\n`);
    process.exit(1);
  }
};

const run = async (terminal: Terminal, settings: LauncherSettings, options: DemoOptions, stop: StopRequest): Promise<void> => {
  const isEmbedded = settings.DATABASE_URL === undefined;
  if (options.fresh && !isEmbedded) throw new LauncherError('--fresh sets the embedded database aside, and DATABASE_URL names another one. Name an empty database there instead. Nothing was changed.');
  const home = openHome(settings.KILOTOKEN_HOME);
  takeFolderLock(home.folder);
  await stopOrphans(home);
  await stopOrphanedPostgres(home.databaseFolder);
  const aside = options.fresh ? setAside(home, new Date()) : null;
  if (aside) terminal.notice(`The database that was here is in ${aside} now; delete it when you need it no more.`);

  const secrets = ensureSecrets(home.secretsFile, hasEmbeddedDatabase(home));
  const supervisor = createSupervisorSettings((sentence) => terminal.notice(sentence));
  const postgres = await createPostgres(home, secrets, settings, supervisor);
  try {
    const { ownerUrl, controlUrl, serviceUrls } = await openDatabase(terminal, postgres, secrets, settings);
    await takePlace(ownerUrl, isEmbedded);
    const logins = { ownerUrl, controlUrl: controlUrl ?? ownerUrl, gatewayUrl: serviceUrls.gateway, meteringUrl: serviceUrls.metering, backofficeUrl: serviceUrls.backoffice };
    await fillDatabase(terminal, { options, logins, workerUrl: originOf(settings, 'WORKER_PORT'), secretKeys: secretKeysOf({ settings, secrets }), signal: stop.requested });
  } finally {
    await runStep(terminal, 'stop', 'stopping the database', async () => {
      await new Installation(postgres, supervisor).stop(0, stop.forced);
      return { result: undefined, detail: isEmbedded ? 'the database is stopped' : 'done' };
    });
  }
  terminal.line(`\n  ${terminal.bold('npm start')} opens the console on it.\n`);
};
