import { once } from 'node:events';
import { pino, type Logger } from 'pino';
import pinoRoll from 'pino-roll';
import type { LogLevel } from './config.js';
import { withoutSecretNames, withoutSecrets } from './redaction.js';

/**
 * JSON lines: one wide event a request or job, and what happens to the process. Never a prompt, a completion or a key.
 * Lines are gathered for at most `flushMsMax`, so that a busy process does not pay one system call a line.
 */
export interface LogSettings {
  readonly name: string;
  readonly level: LogLevel;
  /** Unset is standard output; a file is numbered and rotated: `gateway.log` becomes `gateway.1.log`, `gateway.2.log`, … */
  readonly file?: string | undefined;
}

export interface Log {
  readonly logger: Logger;
  /** Writes what is gathered, for at most `flushMsMax`. The last thing before a process ends. */
  flush(): Promise<void>;
  /** The same without waiting, for a process that is about to crash. */
  flushNow(): void;
  /** Gives the file back. For tests; a process flushes and ends. */
  close(): Promise<void>;
}

const fileBytesMax = 20 * 1024 * 1024;
/** Rotated files that are kept beside the one being written. */
export const rotatedFilesMax = 9;
const gatheredBytesMin = 4_096;
/** When nothing can be written (disk full), lines beyond this are dropped: logging must not take the memory of serving. */
const gatheredBytesMax = 8 * 1024 * 1024;
const flushMsMax = 1_000;

type Destination = ReturnType<typeof pino.destination>;

const gathering = { sync: false, minLength: gatheredBytesMin, maxLength: gatheredBytesMax, periodicFlush: flushMsMax };

const openFile = async (file: string, sizeBytes: number): Promise<Destination> => {
  // pino-roll counts plain numbers as megabytes.
  const destination = await pinoRoll({
    ...gathering,
    file,
    size: `${sizeBytes}b`,
    limit: { count: rotatedFilesMax, removeOtherLogFiles: true },
    mkdir: false,
    mode: 0o600,
  });
  await once(destination, 'ready');
  return destination;
};

/** Opens the log. Rejects with the file system's error when the file cannot be written. */
export const openLog = async (settings: LogSettings, sizeBytes = fileBytesMax): Promise<Log> => {
  const destination: Destination = settings.file
    ? await openFile(settings.file, sizeBytes)
    : pino.destination({ fd: 1, ...gathering });
  // A full disk must not end the process. There is nowhere left to report it but standard error, once.
  let reported = false;
  destination.on('error', (error: Error) => {
    if (reported) return;
    reported = true;
    process.stderr.write(`${settings.name}: the log cannot be written: ${error.message}\n`);
  });
  const logger = pino(
    {
      level: settings.level,
      base: { name: settings.name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutSecretNames },
      serializers: { error: pino.stdSerializers.err },
    },
    // The last place that every line passes, so that no key gets out through a message or a deep object either.
    { write: (line: string) => destination.write(withoutSecrets(line)) },
  );
  return { logger, flush: () => flush(destination), flushNow: () => flushNow(destination), close: () => close(destination) };
};

const flush = async (destination: Destination): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, flushMsMax);
    destination.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });

const flushNow = (destination: Destination): void => {
  try {
    destination.flushSync();
  } catch {
    // The process is ending because of something worse, and the log was the place to say so.
  }
};

const close = async (destination: Destination): Promise<void> => {
  await flush(destination);
  const closed = once(destination, 'close');
  destination.end();
  await closed;
};
