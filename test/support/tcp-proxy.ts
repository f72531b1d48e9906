import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Pipe, type ArmedCut, type Cut, type Direction, type Faults } from './tcp-proxy-pipe.js';

/**
 * A TCP proxy that stands before Postgres or a vendor and breaks what passes through it, switched while it runs. It knows
 * bytes, not protocols: a connection is cut "on COMMIT" by a pattern in what the server answers.
 */

export interface TcpProxy {
  host: string;
  port: number;
  /** The URL with host and port replaced by the proxy's. */
  through(url: string): string;
  /** For one direction or both; replaces what was set before, and holds for open connections too. */
  setFaults(faults: Faults, direction?: Direction): void;
  /** Arms a cut; the promise resolves when it has struck. */
  cut(cut: Cut): Promise<void>;
  /** New connections are reset at once while it is set. */
  refuse(refusing: boolean): void;
  resetAll(): void;
  connections(): number;
  /** Bytes that came from the other side so far, over all connections. */
  bytesPassed(direction: Direction): number;
  /** Without faults and without cuts that are armed. */
  heal(): void;
  close(): Promise<void>;
}

/** How long a lost answer stays out before the connection breaks: long enough for the server to have acted. */
const LOST_ANSWER_MS = 250;

class Link {
  readonly pipes: Record<Direction, Pipe>;

  constructor(
    readonly client: Socket,
    readonly server: Socket,
    faults: Record<Direction, Faults>,
    cuts: () => ArmedCut[],
  ) {
    const onCut = (cut: ArmedCut): void => this.strike(cut);
    this.pipes = {
      toServer: new Pipe(client, server, 'toServer', faults, cuts, onCut),
      toClient: new Pipe(server, client, 'toClient', faults, cuts, onCut),
    };
  }

  private strike(cut: ArmedCut): void {
    // Nothing passes any more in the direction that would tell the client.
    this.pipes.toClient.mute();
    if (cut.trigger === 'swallow') this.pipes.toServer.mute();
    const end = (): void => {
      if (cut.how === 'reset') this.reset();
      else if (cut.how === 'half_close') this.client.end();
      cut.onStruck();
    };
    if (cut.trigger === 'deliver' && cut.direction === 'toServer') setTimeout(end, LOST_ANSWER_MS);
    else end();
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }
}

/** What a proxy is told, as its connections see it. */
class ProxyState {
  readonly faults: Record<Direction, Faults> = { toServer: {}, toClient: {} };
  readonly passed: Record<Direction, number> = { toServer: 0, toClient: 0 };
  readonly links = new Set<Link>();
  cuts: ArmedCut[] = [];
  refusing = false;

  constructor(private readonly target: { host: string; port: number }) {}

  accept(client: Socket): void {
    client.on('error', () => client.destroy());
    if (this.refusing) return void client.resetAndDestroy();
    const upstream = connect({ ...this.target, noDelay: true, allowHalfOpen: true });
    const link = new Link(client, upstream, this.faults, () => this.cuts);
    this.links.add(link);
    client.on('data', (bytes: Buffer) => (this.passed.toServer += bytes.length));
    upstream.on('data', (bytes: Buffer) => (this.passed.toClient += bytes.length));
    // Either side's failure is the other's: that is what a wire does.
    upstream.on('error', () => link.reset());
    const onClose = (): void => {
      if (client.destroyed && upstream.destroyed) this.links.delete(link);
      else if (client.destroyed) upstream.destroy();
    };
    client.once('close', onClose);
    upstream.once('close', onClose);
  }

  setFaults(next: Faults, direction?: Direction): void {
    for (const name of ['toServer', 'toClient'] as const) {
      if (direction !== undefined && direction !== name) continue;
      this.faults[name] = next;
      for (const link of this.links) link.pipes[name].adapt();
    }
  }

  arm(cut: Cut): Promise<void> {
    return new Promise((resolve) => {
      const entry: ArmedCut = {
        ...cut,
        left: cut.times ?? 1,
        onStruck: () => {
          entry.left -= 1;
          if (entry.left > 0) return;
          this.cuts = this.cuts.filter((other) => other !== entry);
          resolve();
        },
      };
      this.cuts = [...this.cuts, entry];
    });
  }

  resetAll(): void {
    this.links.forEach((link) => link.reset());
  }
}

export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const state = new ProxyState(target);
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => state.accept(client));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: '127.0.0.1',
    port,
    through: (url) => {
      const routed = new URL(url);
      routed.host = `127.0.0.1:${port}`;
      return routed.href;
    },
    setFaults: (faults, direction) => state.setFaults(faults, direction),
    cut: (cut) => state.arm(cut),
    refuse: (refusing) => (state.refusing = refusing),
    resetAll: () => state.resetAll(),
    connections: () => state.links.size,
    bytesPassed: (direction) => state.passed[direction],
    heal: () => {
      state.cuts = [];
      state.refusing = false;
      state.setFaults({});
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        state.resetAll();
      }),
  };
}
