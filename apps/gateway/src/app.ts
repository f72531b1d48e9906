import type { GatewayClosed } from '@kilotoken/funding';
import { AppError, assertDurable, assertRowSecurityBinds, databaseLifeline, mintId, whileAnswering, type AppDefinition } from '@kilotoken/platform';
import { readGatewaySettings, type GatewaySettings } from './config.js';
import { registerCors } from './face/cors.js';
import { registerOpenAiFace } from './face/openai.face.js';
import { createModelList } from './face/model-list.js';
import { sendOutside } from './face/send-refusal.js';
import { createFailpoint, noFailpoint, type Failpoint } from './failpoint.js';
import { warmUp } from './intake/warm-up.js';
import { gatewayParts, GatewayModule, type GatewayParts } from './gateway.module.js';

/** A reaped session cannot be revived: whoever supervises starts a new process. The wait lets streams end with their error. */
const zombieExitMs = 1_000;
const zombieExitCode = 75;

const notReady: Record<GatewayClosed, string> = {
  settlements_fail: 'Settlements fail in a row: nothing is admitted until one is tried again. See usage_quarantine and the log.',
  settlement_stalls: 'A settlement has been failing for several seconds: nothing is admitted until it is stored. See the log.',
};

const failpointOf = ({ KILOTOKEN_FAILPOINT }: GatewaySettings): Failpoint =>
  KILOTOKEN_FAILPOINT === undefined ? noFailpoint : createFailpoint(KILOTOKEN_FAILPOINT, () => process.kill(process.pid, 'SIGKILL'));

const assertFailpointAllowed = async ({ pool }: GatewayParts, { KILOTOKEN_FAILPOINT }: GatewaySettings): Promise<void> => {
  if (KILOTOKEN_FAILPOINT === undefined) return;
  const { rows } = await pool.query<{ kind: string }>('SELECT kind FROM database_mark');
  if (rows[0]?.kind !== 'test') throw new Error('KILOTOKEN_FAILPOINT is set, but this database is not marked as a test: unset it');
};

export const gatewayApp: AppDefinition<GatewaySettings> = {
  name: 'gateway',
  face: 'public',
  sendError: sendOutside,
  readSettings: readGatewaySettings,
  listen: ({ GATEWAY_PORT, GATEWAY_METRICS_PORT }) => ({
    port: GATEWAY_PORT,
    portSetting: 'GATEWAY_PORT',
    metrics: { port: GATEWAY_METRICS_PORT, portSetting: 'GATEWAY_METRICS_PORT' },
  }),
  module: (platform) => GatewayModule.compose(platform, failpointOf(platform.settings)),
  wire: async ({ app, fastify, platform }) => {
    const parts = app.get<GatewayParts>(gatewayParts);
    const { pool, session, leases, settlement, catalogue, keys, account, admissions, completions, intake, counter } = parts;
    await assertDurable(pool);
    await assertRowSecurityBinds(pool);
    await assertFailpointAllowed(parts, platform.settings);
    catalogue.onLoad(({ models }) => {
      const named = [...models.values()].flatMap((model) => model.lanes.map((lane) => lane.tokenizer));
      counter.load(named).catch((error: unknown) => platform.logger.error({ event: 'tokenizer.load_failed', error }));
    });
    warmUp();
    await session.start();
    await settlement.start();
    await catalogue.start();
    await counter.load([]);
    session.onEnd(() => setTimeout(() => process.exit(zombieExitCode), zombieExitMs));
    if (platform.settings.CORS_ORIGINS !== undefined) registerCors(fastify, platform.settings.CORS_ORIGINS);
    await registerOpenAiFace(fastify, { keys, admissions, completions, intake, account, models: createModelList(catalogue, () => session.nowMs()), mintRequestId: () => mintId(session.nowMs()) });
    // A request is being answered before it runs, and may run on when its client has left.
    const isBusy = (): boolean => intake.reading > 0 || completions.answering > 0 || parts.running.size > 0;
    return {
      readiness: [
        {
          name: 'session',
          check: async () => {
            if (!session.isCurrent()) throw new Error('the last successful poll of the configuration is too old');
          },
        },
        {
          name: 'settlement',
          check: async () => {
            if (settlement.isFull()) throw new Error('too many answers are waiting for settlement');
            const closed = settlement.whyNotReady();
            if (closed) throw new AppError({ code: closed, kind: 'unavailable', publicMessage: notReady[closed] });
          },
        },
      ],
      drain: async (deadlineMs) => {
        while (isBusy() && platform.clock.monotonicMs() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 20));
        await settlement.finish(deadlineMs);
        const giveBack = async (): Promise<void> => {
          await Promise.all([leases.returnAll(deadlineMs), parts.quota.returnAll(deadlineMs)]);
          // Requests that run after the deadline are cut. Only a session without any may end before its reaper comes.
          if (!isBusy()) await session.close();
        };
        // All is settled that could be: without the database the reaper gives back the rest.
        await whileAnswering(databaseLifeline(platform.settings.APP_DATABASE_URL, platform.name), giveBack());
      },
    };
  },
};
