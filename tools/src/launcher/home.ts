import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makePassableFolder } from '../postgres/index.js';

/** The paths of one installation, all under `KILOTOKEN_HOME`. */
export interface Home {
  folder: string;
  /** Owned by the user that Postgres runs as. */
  databaseFolder: string;
  logs: string;
  /** One file per child process, so that the next start can stop the children of a killed launcher. */
  processes: string;
  secretsFile: string;
  portFile: string;
  quickstartFile: string;
}

export function openHome(folder: string): Home {
  // Under root, Postgres runs as another user below this folder.
  makePassableFolder(folder);
  const home = {
    folder,
    databaseFolder: join(folder, 'postgres', 'data'),
    logs: join(folder, 'logs'),
    processes: join(folder, 'processes'),
    secretsFile: join(folder, 'secrets.json'),
    portFile: join(folder, 'postgres.port'),
    quickstartFile: join(folder, 'quickstart.json'),
  };
  for (const path of [home.logs, home.processes]) mkdirSync(path, { recursive: true, mode: 0o700 });
  return home;
}
