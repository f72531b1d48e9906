import { findFreePort, isPortFree } from '../free-port.js';
import { LauncherError } from './launcher-error.js';
import { portSettings, type LauncherSettings } from './settings.js';

/** Runs before anything starts, so that taken ports are refused within seconds and all at once. */
export async function refuseTakenPorts(settings: LauncherSettings): Promise<void> {
  const free = await Promise.all(portSettings.map((name) => isFree(settings, settings[name])));
  const taken = portSettings.filter((_, index) => !free[index]);
  if (taken.length === 0) return;
  const listed = taken.map((name) => `${settings[name]} (${name})`).join(', ');
  throw new LauncherError(
    `${taken.length === 1 ? 'Port' : 'Ports'} ${listed} ${taken.length === 1 ? 'is' : 'are'} taken by another program. Stop it, or choose ` +
      `another port, for example: ${taken[0]}=${await findFreePort(settings.HOST)} npm start`,
  );
}

async function isFree(settings: LauncherSettings, port: number): Promise<boolean> {
  try {
    return await isPortFree(port, settings.HOST);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
      throw new LauncherError(`HOST=${settings.HOST} is not an address of this machine. Use 127.0.0.1 (this machine only) or 0.0.0.0 (every network).`);
    }
    if (code === 'EACCES') throw new LauncherError(`This user may not use port ${port}: ports below 1024 need special rights. Choose a higher one.`);
    throw error;
  }
}
