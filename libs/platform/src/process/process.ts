/**
 * The parts of a process with a face: Nest, Fastify, the log and metrics. It has its own entry (`@kilotoken/platform/process`), because loading it
 * takes most of a second on a slow machine, which command lines should not pay for.
 */
export { startApp } from './bootstrap.js';
export { DatabaseModule, databasePool, databaseReadiness } from '../database/database.module.js';
export * from '../http/face.js';
export { AppErrorFilter, sendError } from '../http/http-errors.js';
export { openLog } from '../telemetry/logging.js';
export { createMetricsRegistry } from '../telemetry/metrics.js';
export { exitCodes, runApp } from './run-app.js';
