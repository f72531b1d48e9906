import type { AppProcess } from './cluster-process.js';
import type { ClientLog } from './client-log.js';
import { seedGrant } from './cluster-seed.js';
import type { Cluster } from './cluster.js';
import { withOwner } from './invariants.js';
import type { PrivatePostgres } from './private-postgres.js';
import type { SoakFault, SoakStep } from './soak-plan.js';
import { until } from './until.js';
import type { Vendor } from './vendor.js';

/** The world that a soak breaks. */
export interface SoakWorld {
  readonly cluster: Cluster;
  readonly postgres: PrivatePostgres;
  /** The lanes of the one model, in their order. */
  readonly vendors: readonly Vendor[];
  readonly client: ClientLog;
  /** Gateways that died, for whatever reason: each may leave what was in flight to the vendors alone. */
  deaths: number;
}

const passingMs = 15_000;
const reapedMsMax = 60_000;
const startsMax = 10;
const betweenStartsMs = 500;
/** As `pg` binds the prepared statement: an unnamed portal, then the statement's name. */
const settleBytes = Buffer.from('\0settle\0');
const lostSettles = 3;
const abortedRequests = 6;
const smallGrant = { amount: '0.0004', expiresInMs: 1_500 };

const wait = async (lastsMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, lastsMs));

/**
 * What a process needs that died or ended itself. It is started until it stays, as a supervisor does: while the fault of
 * another part keeps Postgres away it cannot begin.
 */
export const reviveProcess = async (world: SoakWorld, process: AppProcess, environment: Record<string, string> = {}): Promise<void> => {
  if (process !== world.cluster.metering) world.deaths += 1;
  await process.kill();
  await startUntilItStays(process, environment);
};

const startUntilItStays = async (process: AppProcess, environment: Record<string, string> = {}): Promise<void> => {
  for (let start = 1; ; start += 1) {
    try {
      await process.start(environment);
      return;
    } catch (error) {
      if (start === startsMax) throw error;
      await process.kill();
      await wait(betweenStartsMs);
    }
  }
};

/** Each begins a fault and resolves when it is over and what it broke works again. */
const faults: Readonly<Record<SoakFault, (world: SoakWorld, step: SoakStep) => Promise<void>>> = {
  'gateway is killed': async (world, { target }) => reviveProcess(world, world.cluster.gateways[target]!),
  'gateway kills itself at a failpoint': async (world, { target, failpoint, failpointAt }) => {
    const gateway = world.cluster.gateways[target]!;
    await reviveProcess(world, gateway, { KILOTOKEN_FAILPOINT: `${failpoint}:${failpointAt}` });
    // Some are passed by long requests alone: whoever does not come by is not waited for.
    await until('the failpoint has struck', () => gateway.hasEnded(), passingMs).catch(() => undefined);
    await reviveProcess(world, gateway);
  },
  'gateway is frozen for a moment': async ({ cluster }, { target, lastsMs }) => freeze(cluster.gateways[target]!, lastsMs / 2),
  'gateway is frozen beyond its session': async (world, { target }) => {
    const gateway = world.cluster.gateways[target]!;
    const { pid } = gateway;
    gateway.signal('SIGSTOP');
    const isReaped = async (): Promise<boolean> => (await world.cluster.sql('SELECT 1 FROM session WHERE pid = $1 AND reaped_at IS NULL', [pid])).length === 0;
    // Postgres may be away by the fault of another part: then nobody is reaped either.
    await until('the session is reaped', async () => isReaped().catch(() => false), reapedMsMax).finally(() => gateway.signal('SIGCONT'));
    await until('the zombie has ended itself', () => gateway.hasEnded(), passingMs);
    await reviveProcess(world, gateway);
  },
  'gateway is drained and replaced': async ({ cluster }, { target }) => {
    const gateway = cluster.gateways[target]!;
    gateway.signal('SIGTERM');
    await gateway.untilExit();
    await startUntilItStays(gateway);
  },
  'metering is killed': async (world) => reviveProcess(world, world.cluster.metering!),
  'metering is frozen for a moment': async ({ cluster }, { lastsMs }) => freeze(cluster.metering!, lastsMs),
  'Postgres stops at once and starts again': async ({ postgres }, { lastsMs }) => {
    await postgres.stop('immediate');
    await wait(lastsMs / 2);
    await postgres.start();
  },
  'connections are ended by the server': async ({ cluster }) => {
    await cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'gateway%' OR application_name LIKE 'metering%'");
  },
  'answers to settles are lost': async ({ cluster }, { target }) => cutSettles(cluster, target, 'deliver'),
  'settles never arrive': async ({ cluster }, { target }) => cutSettles(cluster, target, 'swallow'),
  'the wire to Postgres is slow and in pieces': async ({ cluster }, { target, lastsMs }) => {
    cluster.proxies[target]!.setFaults({ delayMs: 15, splitBytes: 700 });
    await wait(lastsMs);
    cluster.proxies[target]!.heal();
  },
  'the wire to Postgres is cut': async ({ cluster }, { target, lastsMs }) => {
    cluster.proxies[target]!.refuse(true);
    cluster.proxies[target]!.resetAll();
    await wait(lastsMs / 2);
    cluster.proxies[target]!.heal();
  },
  'a vendor fails': async ({ vendors }, step) => misbehave(vendors, step, { status: 500 }),
  'a vendor breaks its answers off': async ({ vendors }, step) => misbehave(vendors, step, { dieAfterChunks: 2 }),
  'a vendor counts wrongly': async ({ vendors }, step) => misbehave(vendors, step, { usage: step.failpointAt % 2 === 0 ? 'omit' : 'negative' }),
  'clients leave': async ({ client, cluster }, { target, failpointAt }) => {
    const leave = async (request: number): Promise<unknown> =>
      client.chat({ baseUrl: cluster.gatewayUrls[target]!, apiKey: cluster.apiKey, stream: true, abortAfterChunks: 1 + ((failpointAt + request) % 7), script: { outputTokens: 12, chunkDelayMs: 20 } });
    await Promise.all(Array.from({ length: abortedRequests }, async (_, request) => leave(request)));
  },
  'a small grant expires under load': async ({ cluster }) => {
    await withOwner(cluster.ownerUrl, async (owner) => seedGrant(owner, cluster.tenant.organizationId, smallGrant));
    await wait(smallGrant.expiresInMs);
  },
};

const freeze = async (process: AppProcess, lastsMs: number): Promise<void> => {
  process.signal('SIGSTOP');
  await wait(lastsMs);
  process.signal('SIGCONT');
};

const cutSettles = async (cluster: Cluster, target: number, trigger: 'deliver' | 'swallow'): Promise<void> => {
  const proxy = cluster.proxies[target]!;
  const struck = proxy.cut({ direction: 'toServer', pattern: settleBytes, trigger, how: 'reset', times: lostSettles });
  // A gateway that another fault holds back sends none.
  await Promise.race([struck, wait(passingMs)]);
  proxy.heal();
};

const misbehave = async (vendors: readonly Vendor[], { target, lastsMs }: SoakStep, all: Parameters<Vendor['control']>[0]['all']): Promise<void> => {
  vendors[target]!.control({ all });
  await wait(lastsMs);
  vendors[target]!.control({ all: {} });
};

/** Faults of one part are one after the other; those of different parts meet. */
export const partOf = ({ fault, target }: SoakStep): string => {
  if (fault.startsWith('a vendor')) return `vendor ${target}`;
  if (fault.startsWith('metering')) return 'metering';
  if (fault.startsWith('Postgres') || fault.startsWith('connections') || fault.startsWith('a small grant')) return 'Postgres';
  return fault.startsWith('clients') ? 'clients' : `gateway ${target}`;
};

export const causeFault = async (world: SoakWorld, step: SoakStep): Promise<void> => faults[step.fault](world, step);
