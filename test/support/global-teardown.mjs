import { removeRunFolder, RUN_FOLDER_VARIABLE } from './run-folder.mjs';

export default function tearDown() {
  const folder = process.env[RUN_FOLDER_VARIABLE];
  if (folder) removeRunFolder(folder);
}
