/**
 * What a process with a face is made of: Nest, Fastify, the log and metrics. It stands apart from the rest of the platform (`@kilotoken/platform/process`) because loading it takes most of a
 * second on a slow machine, and a command line should not pay for it.
 */
export { startApp } from './bootstrap.js';
export { DatabaseModule, databasePool, databaseReadiness } from '../database/database.module.js';
export * from '../http/face.js';
export { AppErrorFilter, sendError } from '../http/http-errors.js';
export { openLog } from '../telemetry/logging.js';
export { createMetricsRegistry } from '../telemetry/metrics.js';
export { exitCodes, runApp } from './run-app.js';
