import type { AppDefinition } from '@kilotoken/platform';
import { readWorkerSettings, type WorkerSettings } from './config.js';
import { EnginesService } from './engines.service.js';
import { registerOpenAiFace } from './openai.face.js';
import { WorkerModule } from './worker.module.js';

/** A gateway adds a few fields to a client's body, so this limit must exceed the gateway's. */
const gatewayAdditionBytesMax = 64 * 1024;

/** The inference worker as a process: gateways reach its engines with the internal token, and nobody else. */
export const workerApp: AppDefinition<WorkerSettings> = {
  name: 'inference-worker',
  face: 'internal',
  readSettings: readWorkerSettings,
  listen: ({ WORKER_PORT, BODY_LIMIT_BYTES }) => ({ port: WORKER_PORT, portSetting: 'WORKER_PORT', bodyLimitBytes: BODY_LIMIT_BYTES + gatewayAdditionBytesMax }),
  module: (platform) => WorkerModule.compose(platform),
  wire: async ({ app, fastify, platform }) => {
    const engines = app.get(EnginesService);
    await registerOpenAiFace(fastify, { engines, clock: platform.clock });
    return {
      readiness: engines.dispatchers.map(({ engine }) => ({ name: engine.modelId, check: async () => engine.check() })),
      drain: async () => {
        await Promise.all(engines.dispatchers.map(async (dispatcher) => dispatcher.drain()));
      },
    };
  },
};
