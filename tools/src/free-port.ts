import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Ports that the kernel gives to nobody by itself. One of those that it gives to outgoing connections may be taken before its
 * process listens, or while that process is started again.
 */
const portMin = 10_000;
const portsMax = 16_000;
const triesMax = 200;
/** Linux' own default, which lies below everybody else's. */
const ephemeralFromDefault = 32_768;

const given = new Set<number>();

/** A port that was free a moment ago, another one each time; whoever listens on it must be ready to hear that it no longer is. */
export async function findFreePort(host = '127.0.0.1'): Promise<number> {
  const ephemeralFrom = readEphemeralFrom();
  const from = Math.max(portMin, ephemeralFrom - portsMax);
  for (let attempt = 0; attempt < triesMax && from < ephemeralFrom; attempt += 1) {
    const port = randomInt(from, ephemeralFrom);
    // Some systems reserve ranges of ports; what else is wrong is said below.
    if (given.has(port) || !(await isPortFree(port, host).catch(() => false))) continue;
    given.add(port);
    return port;
  }
  // All are taken, or the kernel keeps them for itself.
  return listenOnce(0, host);
}

export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  try {
    await listenOnce(port, host);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}

/** Where the ports of outgoing connections begin. */
function readEphemeralFrom(): number {
  try {
    return parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10) || ephemeralFromDefault;
  } catch {
    // Not Linux.
    return ephemeralFromDefault;
  }
}

function listenOnce(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('No port was bound.'))));
    });
  });
}
