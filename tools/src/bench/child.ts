import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';

/**
 * A process of the bench itself: the vendor, the proxy or the load. It sends a message once it is ready, then answers each
 * message with one. It exits when the bench is gone and their channel closes.
 */
export interface BenchProcess {
  readonly pid: number;
  /** Its first message. */
  readonly ready: unknown;
  ask<Answer>(message: object, answer: z.ZodType<Answer>, timeoutMs: number): Promise<Answer>;
  stop(): void;
}

const readyMsMax = 15_000;

export const startBenchProcess = async (name: string, args: readonly string[] = []): Promise<BenchProcess> => {
  const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // The caller's environment would change the process.
    env: { NODE_ENV: 'production' },
    serialization: 'advanced',
  });
  const ready = await nextMessage(child, name, readyMsMax);
  return {
    pid: child.pid!,
    ready,
    ask: async (message, answer, timeoutMs) => {
      const answered = nextMessage(child, name, timeoutMs);
      child.send(message);
      return answer.parse(await answered);
    },
    stop: () => void child.kill('SIGKILL'),
  };
};

const nextMessage = async (child: ChildProcess, name: string, timeoutMs: number): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
    };
    const onMessage = (message: unknown): void => {
      finish();
      resolve(message);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      finish();
      reject(new Error(`the ${name} process ended with ${signal ?? `code ${code}`}`));
    };
    const timer = setTimeout(() => {
      finish();
      reject(new Error(`the ${name} process did not answer within ${timeoutMs / 1_000} s`));
    }, timeoutMs);
    child.once('message', onMessage);
    child.once('exit', onExit);
  });

/** For the other end: sends `message` to the bench, and exits when the bench is gone. */
export const reportReady = (message: object): void => {
  if (!process.send) throw new Error('This file is a part of npm run bench and does not run by itself.');
  process.once('disconnect', () => process.exit(0));
  process.send(message);
};
