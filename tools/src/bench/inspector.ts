import { WebSocket } from 'undici';
import { z } from 'zod';

/**
 * Inspects a running process from outside by V8's inspector protocol, so the measured process needs no code for it. It
 * must run with `--inspect=127.0.0.1:<port>`.
 */
export interface Inspector {
  /** Bytes in use after a forced collection. */
  heapBytes(): Promise<number>;
  startProfile(): Promise<void>;
  /** The contents of a .cpuprofile file. */
  stopProfile(): Promise<CpuProfile>;
  close(): void;
}

const answerMsMax = 60_000;
const sampleMicroseconds = 500;

const targetList = z.array(z.object({ webSocketDebuggerUrl: z.string() })).min(1);
const answerSchema = z.object({ id: z.number(), result: z.unknown(), error: z.object({ message: z.string() }).optional() });
const heapSchema = z.object({ usedSize: z.number() });

const profileNode = z.object({
  id: z.number(),
  callFrame: z.object({ functionName: z.string(), scriptId: z.string(), url: z.string(), lineNumber: z.number(), columnNumber: z.number() }),
  children: z.array(z.number()).optional(),
  hitCount: z.number().optional(),
});

const profileSchema = z.object({
  profile: z.looseObject({ nodes: z.array(z.looseObject(profileNode.shape)), samples: z.array(z.number()), timeDeltas: z.array(z.number()), startTime: z.number(), endTime: z.number() }),
});

export type CpuProfile = z.infer<typeof profileSchema>['profile'];

export const openInspector = async (port: number): Promise<Inspector> => {
  const response = await fetch(`http://127.0.0.1:${port}/json/list`, { signal: AbortSignal.timeout(answerMsMax) });
  const [target] = targetList.parse(await response.json());
  const socket = new WebSocket(target!.webSocketDebuggerUrl);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error('the inspector does not answer')), { once: true });
  });
  const call = createCall(socket);
  return {
    heapBytes: async () => {
      // The second collection frees the objects that the first one finalizes.
      await call('HeapProfiler.collectGarbage');
      await call('HeapProfiler.collectGarbage');
      return heapSchema.parse(await call('Runtime.getHeapUsage')).usedSize;
    },
    startProfile: async () => {
      await call('Profiler.enable');
      await call('Profiler.setSamplingInterval', { interval: sampleMicroseconds });
      await call('Profiler.start');
    },
    stopProfile: async () => {
      const { profile } = profileSchema.parse(await call('Profiler.stop'));
      await call('Profiler.disable');
      return profile;
    },
    close: () => socket.close(),
  };
};

/** Sends one command at a time; its number matches the answer. */
const createCall = (socket: WebSocket): ((method: string, params?: object) => Promise<unknown>) => {
  let lastId = 0;
  return async (method, params = {}) =>
    new Promise((resolve, reject) => {
      lastId += 1;
      const id = lastId;
      const finish = (): void => {
        clearTimeout(timer);
        socket.removeEventListener('message', onMessage);
      };
      const onMessage = ({ data }: { data: unknown }): void => {
        const answer = answerSchema.safeParse(JSON.parse(String(data)));
        // Other messages are events.
        if (!answer.success || answer.data.id !== id) return;
        finish();
        if (answer.data.error) reject(new Error(`${method}: ${answer.data.error.message}`));
        else resolve(answer.data.result);
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`${method} was not answered`));
      }, answerMsMax);
      socket.addEventListener('message', onMessage);
      socket.send(JSON.stringify({ id, method, params }));
    });
};
