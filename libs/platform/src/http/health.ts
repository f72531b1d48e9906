import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.js';
import { AppError } from '../errors.js';

/** One thing without which this process cannot do its work, such as its database. */
export interface ReadinessCheck {
  readonly name: string;
  readonly timeoutMs?: number;
  /** Rejects when the process cannot work. What it resolves to does not matter. */
  readonly check: () => Promise<unknown>;
}

export type CheckResult = { readonly ok: true; readonly latencyMs: number } | { readonly ok: false; readonly reason: 'failed' | 'timed_out'; readonly message?: string };

export interface ReadinessReport {
  readonly status: 'ready' | 'not_ready' | 'draining';
  readonly checks: Readonly<Record<string, CheckResult>>;
}

export interface Readiness {
  report(): Promise<ReadinessReport>;
}

const checkTimeoutMsDefault = 2_000;
/** /readyz needs no token: whoever asks often gets the same answer, so asking costs the database nothing. */
const reportAgeMsMax = 500;

export interface ReadinessOptions {
  readonly checks: readonly ReadinessCheck[];
  readonly clock: Clock;
  readonly isDraining: () => boolean;
  /** Told why a check failed; the public report says only that it did, and an AppError's public message. */
  readonly onFailure: (name: string, error: unknown) => void;
}

const timedOut = Symbol('timed out');

const within = async (work: Promise<unknown>, timeoutMs: number): Promise<unknown> => {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, timeoutMs, timedOut);
  });
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer));
};

/** Runs one check at most once at a time: one that hangs is waited for again, not started again. */
const createRunner = ({ name, check, timeoutMs = checkTimeoutMsDefault }: ReadinessCheck, { clock, onFailure }: ReadinessOptions) => {
  let running: Promise<unknown> | null = null;
  return async (): Promise<CheckResult> => {
    const startedMs = clock.monotonicMs();
    running ??= Promise.resolve()
      .then(check)
      .finally(() => {
        running = null;
      });
    try {
      if ((await within(running, timeoutMs)) === timedOut) {
        onFailure(name, new Error(`no answer within ${timeoutMs} ms`));
        return { ok: false, reason: 'timed_out' };
      }
      return { ok: true, latencyMs: Math.round(clock.monotonicMs() - startedMs) };
    } catch (error) {
      onFailure(name, error);
      // An AppError's message is meant for anybody; of every other error the log alone is told more.
      return error instanceof AppError ? { ok: false, reason: 'failed', message: error.publicMessage } : { ok: false, reason: 'failed' };
    }
  };
};

export const createReadiness = (options: ReadinessOptions): Readiness => {
  const runners = options.checks.map((check) => [check.name, createRunner(check, options)] as const);
  let latest: { readonly atMs: number; readonly report: Promise<ReadinessReport> } | null = null;

  const run = async (): Promise<ReadinessReport> => {
    const checks = Object.fromEntries(await Promise.all(runners.map(async ([name, runner]) => [name, await runner()] as const)));
    return { status: Object.values(checks).every(({ ok }) => ok) ? 'ready' : 'not_ready', checks };
  };

  return {
    report: async () => {
      if (options.isDraining()) return { status: 'draining', checks: {} };
      const nowMs = options.clock.monotonicMs();
      if (!latest || nowMs - latest.atMs > reportAgeMsMax) latest = { atMs: nowMs, report: run() };
      return latest.report;
    },
  };
};

export const healthPaths = ['/healthz', '/health', '/readyz'] as const;

/** /healthz, and /health for those who look there, answer 200 while the process lives; /readyz 200 or 503 with each check by name. */
export const registerHealth = (fastify: FastifyInstance, readiness: Readiness): void => {
  for (const path of ['/healthz', '/health']) fastify.get(path, async () => ({ status: 'ok' }));
  fastify.get('/readyz', async (_request, reply) => {
    const report = await readiness.report();
    return reply.code(report.status === 'ready' ? 200 : 503).send(report);
  });
};
