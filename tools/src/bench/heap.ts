import type { BenchProcess } from './child.js';
import type { Installation } from './installation.js';
import { runRound, type Side } from './rounds.js';

/** Records heap growth over a long run: the gateway's heap after a forced collection, early and late. */
export interface HeapReport {
  readonly points: readonly { readonly requests: number; readonly heapBytes: number }[];
  /** The last point over the first, less 1. */
  readonly growth: number;
}

export interface HeapInput {
  readonly installation: Installation;
  readonly side: Side;
  readonly load: BenchProcess;
  readonly connections: number;
  readonly say: (line: string) => void;
}

const firstPoint = 200_000;
const lastPoint = 1_000_000;
const requestsPerRound = 20_000;
const pointEvery = 200_000;
const roundMsMax = 300_000;

export const measureHeap = async ({ installation, side, load, connections, say }: HeapInput): Promise<HeapReport> => {
  const { inspector, key } = installation;
  if (!inspector) throw new Error('the gateway runs without its inspector');
  const points: { requests: number; heapBytes: number }[] = [];
  say('');
  for (let requests = 0; requests < lastPoint; ) {
    const order = { mode: 'json' as const, connections, durationMs: roundMsMax, requestsMax: requestsPerRound, keys: [key] };
    requests += (await runRound(side, load, order, say)).requests;
    if (requests % pointEvery !== 0 || requests < firstPoint) continue;
    const heapBytes = await inspector.heapBytes();
    points.push({ requests, heapBytes });
    say(`heap after ${requests} requests and a forced collection: ${(heapBytes / 1024 / 1024).toFixed(2)} MB`);
  }
  const growth = points.at(-1)!.heapBytes / points[0]!.heapBytes - 1;
  say(`growth from the first to the last: ${(growth * 100).toFixed(2)} %`);
  return { points, growth };
};
