import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';

/**
 * A process of the bench itself: the vendor, the proxy, the load. It says something once it is ready, and then answers each
 * message with one. When the bench is gone, so is the channel between them, and it ends.
 */
export interface BenchProcess {
  readonly pid: number;
  /** What it said when it was ready. */
  readonly ready: unknown;
  ask<Answer>(message: object, answer: z.ZodType<Answer>, timeoutMs: number): Promise<Answer>;
  stop(): void;
}

const readyMsMax = 15_000;

export const startBenchProcess = async (name: string, args: readonly string[] = []): Promise<BenchProcess> => {
  const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Nothing of the caller's environment may change how it runs.
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
      reject(new Error(`the ${name} process said nothing for ${timeoutMs / 1_000} s`));
    }, timeoutMs);
    child.once('message', onMessage);
    child.once('exit', onExit);
  });

/** For the other end: says `message` to the bench, and ends this process when the bench is gone. */
export const reportReady = (message: object): void => {
  if (!process.send) throw new Error('This is a part of npm run bench and does not run by itself.');
  process.once('disconnect', () => process.exit(0));
  process.send(message);
};
