import { createRunFolder, removeRunFolder, RUN_FOLDER_VARIABLE, sweepDeadRuns } from './run-folder.mjs';

/** Costs a folder. The Postgres is started by the first test that asks for a database (`postgres.ts`). */
export default function setUp() {
  sweepDeadRuns();
  const folder = createRunFolder();
  process.env[RUN_FOLDER_VARIABLE] = folder;
  // Ctrl-C skips Jest's teardown; the exit hook does not.
  process.once('exit', () => removeRunFolder(folder));
  // Not `once`: npm sends a second signal after the terminal's, which must not cut the exit hook short.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
}
