import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { findFreePort, isPortFree } from './free-port.js';

const ephemeralFrom = process.platform === 'linux' ? parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10) : 49_152;

describe('a free port', () => {
  it('is another one each time, and none that the kernel would give to an outgoing connection', async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => findFreePort()));
    expect(new Set(ports).size).toBe(ports.length);
    if (ephemeralFrom > 12_000) for (const port of ports) expect(port).toBeLessThan(ephemeralFrom);
  });

  it('is free until somebody listens on it', async () => {
    const port = await findFreePort();
    expect(await isPortFree(port)).toBe(true);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await isPortFree(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
  });
});
