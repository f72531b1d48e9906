import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { pino, type Logger } from 'pino';
import pinoRoll from 'pino-roll';
import sonicBoom, { type SonicBoom } from 'sonic-boom';
import type { LogLevel } from '../config/config.js';
import { createLineOf } from './log-line.js';
import { withoutSecretNames, withoutSecrets } from './redaction.js';

/**
 * JSON lines: one wide event a request or job, and what happens to the process. Never a prompt, a completion or a key.
 * Lines are gathered for at most `gatherMsMax`: with a system call for each, logging cost three times as much.
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
const gatherMsMax = 100;
const gatheredCharactersMax = 64 * 1024;
/** When nothing can be written (disk full), lines beyond this are dropped: logging must not take the memory of serving. */
const waitingBytesMax = 8 * 1024 * 1024;
const flushMsMax = 1_000;

/** Written as soon as it is given: `gather` has waited already. A minimum of 0 would make `flush` return before the write. */
const writing = { sync: false, minLength: 1, maxLength: waitingBytesMax };

const openFile = async (file: string, sizeBytes: number): Promise<SonicBoom> => {
  // pino-roll counts plain numbers as megabytes.
  const destination = await pinoRoll({
    ...writing,
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
  // Not `pino.destination`: it flushes when the process exits, and on a full disk that flush never ends (see `flushNow`).
  const destination = settings.file ? await openFile(settings.file, sizeBytes) : new sonicBoom.SonicBoom({ fd: 1, ...writing });
  // A full disk must not end the process. There is nowhere left to report it but standard error, once.
  let reported = false;
  destination.on('error', (error: Error) => {
    if (reported) return;
    reported = true;
    process.stderr.write(`${settings.name}: the log cannot be written: ${error.message}\n`);
  });
  const gathered = gather((text) => destination.write(text));
  const base = { name: settings.name, pid: process.pid };
  const lineOf = createLineOf(base);
  const logger: Logger = pino(
    {
      level: settings.level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutSecretNames },
      serializers: { error: pino.stdSerializers.err },
      hooks: {
        logMethod(values, method, level) {
          // A child has fields of its own, and what has a message beside its fields is no wide event.
          const line = this === logger && values.length === 1 ? lineOf(values[0], level) : null;
          if (line === null) method.apply(this, values);
          else gathered.write(line);
        },
      },
    },
    gathered,
  );
  return {
    logger,
    flush: async () => {
      gathered.pass();
      await flush(destination);
    },
    flushNow: () => flushNow(destination, gathered.take()),
    close: async () => {
      gathered.pass();
      await close(destination);
    },
  };
};

/** Lines on their way: passed on together, by the first that is full or due. */
const gather = (passOn: (text: string) => void): { write(line: string): void; pass(): void; take(): string } => {
  let lines: string[] = [];
  let characters = 0;
  let timer: NodeJS.Timeout | null = null;

  const take = (): string => {
    if (timer) clearTimeout(timer);
    timer = null;
    // The last place that every line passes, so that no key gets out through a message or a deep object either.
    const text = withoutSecrets(lines.join(''));
    lines = [];
    characters = 0;
    return text;
  };
  const pass = (): void => {
    const text = take();
    if (text !== '') passOn(text);
  };
  const write = (line: string): void => {
    lines.push(line);
    characters += line.length;
    if (characters >= gatheredCharactersMax) pass();
    else timer ??= setTimeout(pass, gatherMsMax).unref();
  };
  return { write, pass, take };
};

const flush = async (destination: SonicBoom): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, flushMsMax);
    destination.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });

/**
 * The last words first, by a system call of our own: only if that works is what waits in the stream written too, since
 * its synchronous flush tries for ever where the disk is full.
 */
const flushNow = (destination: SonicBoom, lastWords: string): void => {
  try {
    writeSync((destination as SonicBoom & { readonly fd: number }).fd, lastWords);
    destination.flushSync();
  } catch {
    // The process is ending because of something worse, and the log was the place to say so.
  }
};

const close = async (destination: SonicBoom): Promise<void> => {
  await flush(destination);
  const closed = once(destination, 'close');
  destination.end();
  await closed;
};
