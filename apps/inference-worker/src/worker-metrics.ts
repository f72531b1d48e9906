import type { Dispatcher, DispatchState } from '@kilotoken/inference';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Metrics of the engines. */
export const createWorkerMetrics = (registry: Registry) => {
  const registers = [registry];
  const labelNames = ['model'] as const;
  const sequences = new Histogram({ name: 'kilotoken_worker_decode_sequences', help: 'Sequences that one decode computed together.', labelNames, buckets: [1, 2, 4, 8, 12, 16, 24, 32, 64, 128, 256], registers });
  const batchTokens = new Counter({ name: 'kilotoken_worker_decode_tokens_total', help: 'Tokens that decodes computed, of prompts and of answers.', labelNames, registers });
  const queueSeconds = new Histogram({ name: 'kilotoken_worker_queue_seconds', help: 'Time from a request to its entry into the batch.', labelNames, buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300], registers });
  const tokens = new Counter({ name: 'kilotoken_worker_tokens_total', help: 'Tokens of requests that ended, however they ended.', labelNames: ['model', 'side'], registers });
  const requests = new Counter({ name: 'kilotoken_worker_requests_total', help: 'Requests by how they ended.', labelNames: ['model', 'outcome'], registers });

  return {
    decoded: (model: string, decode: { sequences: number; tokens: number }) => {
      sequences.observe({ model }, decode.sequences);
      batchTokens.inc({ model }, decode.tokens);
    },
    started: (model: string, queueMs: number) => queueSeconds.observe({ model }, queueMs / 1000),
    ended: (model: string, outcome: 'completed' | 'cancelled' | 'failed' | 'refused', usage: { promptTokens: number; completionTokens: number } | null) => {
      requests.inc({ model, outcome });
      if (!usage) return;
      tokens.inc({ model, side: 'prompt' }, usage.promptTokens);
      tokens.inc({ model, side: 'completion' }, usage.completionTokens);
    },
    /** Gauges are read off the dispatchers whenever somebody asks. Called once. */
    watch: (dispatchers: readonly Dispatcher[]): void => {
      const gauge = (name: string, help: string, read: (state: DispatchState) => number) =>
        new Gauge({
          name: `kilotoken_worker_${name}`,
          help,
          labelNames,
          registers,
          collect() {
            dispatchers.forEach(({ engine, state }) => this.set({ model: engine.modelId }, read(state())));
          },
        });
      gauge('running_sequences', 'Sequences in the batch.', ({ runningSequences }) => runningSequences);
      gauge('projected_cache_tokens', 'What the sequences in the batch may come to hold in the KV cache.', ({ runningKvTokens }) => runningKvTokens);
      gauge('waiting_sequences', 'Sequences in the queue.', ({ waitingSequences }) => waitingSequences);
    },
  };
};

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;
