import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

/** Nest's own messages in our log: what it reports at start is detail. */
export const createNestLogger = (logger: Logger): LoggerService => {
  const at =
    (level: 'debug' | 'trace' | 'warn' | 'error' | 'fatal') =>
    (message: unknown, ...rest: unknown[]): void =>
      logger[level]({ event: 'nest', context: rest.at(-1), error: message instanceof Error ? message : undefined }, String(message));
  return { log: at('debug'), verbose: at('trace'), debug: at('trace'), warn: at('warn'), error: at('error'), fatal: at('fatal') };
};
