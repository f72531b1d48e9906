import type { Logger } from 'pino';
import { startApp, type AppDefinition, type RunningApp } from './bootstrap.js';
import { ConfigError, type ProcessSettings } from '../config/config.js';
import { openLog, type Log } from '../telemetry/logging.js';

/** Exit codes of a process, for its supervisor. */
export const exitCodes = {
  /** Asked to stop; everything that was running ended. */
  stopped: 0,
  /** Could not start, or broke: starting it again may help. */
  failed: 1,
  /** Asked to stop; what was still running at the end of DRAIN_MS was cut. */
  drainTimedOut: 3,
  /** A setting is wrong or a port is taken (EX_CONFIG of sysexits.h): starting it again does not help. */
  misconfigured: 78,
  /** Asked to stop twice: stopped at once. */
  forced: 130,
} as const;

/** After the drain: closing what is open and writing the last lines of the log. A process ends at most DRAIN_MS and this after the signal. */
const stopMsMax = 3_000;

/** Runs an app as this process: settings, log, signals, exit code. Never rejects. */
export const runApp = async <Settings extends ProcessSettings>(definition: AppDefinition<Settings>): Promise<void> => {
  let log: Log | null = null;
  try {
    const settings = definition.readSettings();
    log = await openProcessLog(definition.name, settings);
    endOnCrash(log);
    const running = await startApp(definition, settings, log);
    stopOnSignal(running, log);
    log.logger.info({ event: 'process.listening', host: settings.HOST, port: running.port, metricsPort: running.metricsPort });
  } catch (error) {
    const isConfig = error instanceof ConfigError;
    // Standard error too: whoever started the process by hand looks there, and without settings there is no log.
    process.stderr.write(`${definition.name} cannot start. ${error instanceof Error ? explain(error) : String(error)}\n`);
    log?.logger.fatal({ event: 'process.start_failed', error });
    await log?.flush();
    process.exit(isConfig ? exitCodes.misconfigured : exitCodes.failed);
  }
};

/** The message of an error and of what caused it: an AppError's own is for callers, its cause says what to do. */
const explain = (error: Error): string => (error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message);

const openProcessLog = async (name: string, settings: ProcessSettings): Promise<Log> => {
  try {
    return await openLog({ name, level: settings.LOG_LEVEL, file: settings.LOG_FILE });
  } catch (error) {
    throw new ConfigError([`LOG_FILE is wrong: ${error instanceof Error ? error.message : String(error)}; its folder must exist and be writable`]);
  }
};

const endOnCrash = (log: Log): void => {
  const end = (event: string) => (error: unknown) => {
    log.logger.fatal({ event, error });
    log.flushNow();
    process.exit(exitCodes.failed);
  };
  // Nobody knows what state is left: Postgres has what counts, and a new process starts from it.
  process.on('uncaughtException', end('process.uncaught_exception'));
  process.on('unhandledRejection', end('process.unhandled_rejection'));
};

const stopOnSignal = (running: RunningApp, log: Log): void => {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      log.logger.warn({ event: 'process.forced', signal });
      log.flushNow();
      process.exit(exitCodes.forced);
    }
    stopping = true;
    void stop(running, log, signal);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
};

const stop = async (running: RunningApp, log: Log, signal: NodeJS.Signals): Promise<void> => {
  const { logger } = log;
  logger.info({ event: 'process.draining', signal });
  const drained = await drainSafely(running, logger);
  const giveUp = setTimeout(() => {
    log.flushNow();
    process.exit(exitCodes.drainTimedOut);
  }, stopMsMax);
  if (!drained) running.fastify.server.closeAllConnections();
  await running.close();
  logger.info({ event: 'process.stopped', drained });
  await log.flush();
  clearTimeout(giveUp);
  process.exit(drained ? exitCodes.stopped : exitCodes.drainTimedOut);
};

const drainSafely = async (running: RunningApp, logger: Logger): Promise<boolean> => {
  try {
    return await running.drain();
  } catch (error) {
    // The process ends in any case; what could not be finished is finished by whoever starts next.
    logger.error({ event: 'process.drain_failed', error });
    return false;
  }
};
