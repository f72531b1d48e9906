import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess, type ProcessIdentity } from '../process-identity.js';
import { stopPostgres } from '../postgres/index.js';
import { createAppService, killApp, stopApp, type AppProcess } from './app-process.js';
import { apps, describeApp, type AppContext } from './apps.js';
import type { PostgresService } from './database.js';
import { SupervisedService, type SupervisorSettings } from './supervisor.js';

/** Starts all processes of one installation together, keeps them alive and stops them in order. */

/** After the drain an app needs this time to close its connections and write the end of its log. */
const CLOSE_MS_MAX = 15_000;
const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 30_000;
const STEADY_AFTER_MS = 60_000;

export function createSupervisorSettings(onEvent: (sentence: string) => void): SupervisorSettings {
  return {
    backoffMsMin: BACKOFF_MS_MIN,
    backoffMsMax: BACKOFF_MS_MAX,
    steadyAfterMs: STEADY_AFTER_MS,
    onEvent,
    now: () => performance.now(),
    wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
  };
}

export class Installation {
  private appServices: SupervisedService<AppProcess>[] = [];

  constructor(
    private readonly postgres: PostgresService,
    private readonly supervisor: SupervisorSettings,
  ) {}

  /** Starts every app and waits until all are ready. Calls `onReady` with the names of the ready ones. */
  async startApps(context: AppContext, onReady: (names: string[]) => void): Promise<void> {
    this.appServices = apps.map((app) => new SupervisedService(createAppService(describeApp(app, context), context.home), this.supervisor));
    const ready: string[] = [];
    await Promise.all(
      this.appServices.map(async (service) => {
        await service.start();
        ready.push(service.name);
        onReady(ready);
      }),
    );
  }

  /** Stops the public faces first, then the services that they need, Postgres last. Every wait is bounded, and `forced` ends it. */
  async stop(drainMs: number, forced: AbortSignal): Promise<void> {
    const force = () => this.kill();
    forced.addEventListener('abort', force, { once: true });
    const running = await this.letAppsGo();
    for (const stage of ['first', 'second'] as const) {
      const names = apps.filter(({ stopsIn }) => stopsIn === stage).map(({ name }) => name);
      const staged = running.filter(({ name }) => names.includes(name));
      await Promise.all(staged.map(({ identity }) => (forced.aborted ? killApp(identity) : stopApp(identity, drainMs + CLOSE_MS_MAX))));
    }
    const server = await this.postgres?.letGo();
    if (server) await stopPostgres(server.identity, forced.aborted ? 'immediate' : 'fast');
  }

  private async letAppsGo(): Promise<{ name: string; identity: ProcessIdentity }[]> {
    const released = await Promise.all(this.appServices.map(async (service) => ({ name: service.name, app: await service.letGo() })));
    return released.flatMap(({ name, app }) => (app ? [{ name, identity: app.identity }] : []));
  }

  private kill(): void {
    for (const { process } of this.appServices) if (process) signalProcess(process.identity, 'SIGKILL');
    const server = this.postgres?.process;
    // SIGQUIT is a crash to Postgres, and it recovers by itself; the apps are already gone.
    if (server) signalProcess(server.identity, 'SIGQUIT');
  }
}
