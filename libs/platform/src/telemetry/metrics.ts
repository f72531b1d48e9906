import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** From a cache hit to a long stream; a histogram's count is the number of requests. */
const requestSecondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** A registry of this process alone, with Node's own metrics in it. */
export const createMetricsRegistry = (processName: string): Registry => {
  const registry = new Registry();
  registry.setDefaultLabels({ process: processName });
  collectDefaultMetrics({ register: registry });
  return registry;
};

export const createRequestHistogram = (registry: Registry): Histogram<'method' | 'route' | 'status'> =>
  new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer, streams included.',
    labelNames: ['method', 'route', 'status'],
    buckets: requestSecondsBuckets,
    registers: [registry],
  });

export const registerMetrics = (fastify: FastifyInstance, registry: Registry): void => {
  fastify.get('/metrics', async (_request, reply) => reply.header('content-type', registry.contentType).send(await registry.metrics()));
};
