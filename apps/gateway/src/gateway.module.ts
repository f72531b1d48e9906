import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { HoldingService, LeaseService, SessionService, SettlementService } from '@kilotoken/funding';
import { createPool, type Platform } from '@kilotoken/platform';
import { QuotaService } from '@kilotoken/quota';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { CatalogueService } from './admission/catalogue.service.js';
import { AdmissionService } from './admission/admission.service.js';
import { IdempotencyService } from './admission/idempotency.service.js';
import { createLaneKeys } from './admission/lane-keys.js';
import { LimitsService } from './admission/limits.service.js';
import { createBytesMeter, type BytesMeter } from './bounds/bytes-meter.js';
import { createDeadlines, type Deadlines } from './bounds/deadlines.js';
import { readVendorKey, type GatewaySettings } from './config.js';
import { Estimator } from './counting/estimator.service.js';
import { TokenCounter } from './counting/token-counter.service.js';
import { AccountService } from './face/account.service.js';
import { CompletionsService } from './face/completions.service.js';
import { KeyService } from './face/key.service.js';
import type { Failpoint } from './failpoint.js';
import { Intake } from './intake/intake.service.js';
import { EndingService } from './relay/ending.service.js';
import { traceFlush } from './relay/flush-trace.js';
import { createGatewayMetrics, type GatewayMetrics } from './relay/gateway-metrics.js';
import { LaneClient } from './relay/lane-client.service.js';
import { createLaneNotices } from './relay/lane-notices.js';
import { RunningRequests } from './relay/running.service.js';
import { readRelease } from './release.js';
import { defaultThreads, openThreads, type Threads } from './threads/threads.js';

/** For reads of keys and the catalogue: money has connections of its own. */
const readConnectionsMax = 4;
const beatMsMax = 1_000;
/** A session lives through a few lost heartbeats. */
const beatsPerTtl = 5;
const pollMs = 250;
const flushEntriesMax = 500;
const flushBytesMax = 2 * 1024 * 1024;

const leaseLimits = { idleLeaseNearFloorMs: 250, askAgainMs: 100, sweptPerTickMax: 1_000 };

interface Parts {
  readonly pool: Pool;
  readonly session: SessionService;
  readonly leases: LeaseService;
  readonly settlement: SettlementService;
  readonly running: RunningRequests;
  readonly deadlines: Deadlines;
  readonly lanes: LaneClient;
  readonly catalogue: CatalogueService;
  readonly keys: KeyService;
  readonly account: AccountService;
  readonly idempotency: IdempotencyService;
  readonly quota: QuotaService;
  readonly admissions: AdmissionService;
  readonly completions: CompletionsService;
  readonly threads: Threads;
  readonly meter: BytesMeter;
  readonly intake: Intake;
  readonly counter: TokenCounter;
}

/** All that speaks to vendors, and of them to operators. */
const composeLanes = (settings: GatewaySettings, metrics: GatewayMetrics, logger: Logger) => ({
  lanes: new LaneClient({
    internalToken: settings.INTERNAL_TOKEN,
    traceVendors: settings.TRACE_VENDORS === '1',
    proxies: { http: settings.HTTP_PROXY, https: settings.HTTPS_PROXY, none: settings.NO_PROXY },
  }),
  notices: createLaneNotices({
    warn: (fields) => logger.warn(fields),
    count: (lane, kind) => metrics.refused(lane.modelId, lane.id, kind),
    secretsOf: ({ keyEnv }) => (keyEnv === null ? [] : [readVendorKey(keyEnv) ?? '']),
  }),
  laneKeys: createLaneKeys(readVendorKey, (fields) => logger.warn(fields)),
});

const compose = ({ settings, clock, logger, registry, tracing }: Platform<GatewaySettings>, failpoint: Failpoint): Parts => {
  const databaseUrl = settings.APP_DATABASE_URL;
  const pool = createPool({ connectionString: databaseUrl, max: readConnectionsMax, applicationName: 'gateway reads' });
  const session = new SessionService({ databaseUrl, beatMs: Math.min(beatMsMax, settings.SESSION_TTL_MS / beatsPerTtl), sessionTtlMs: settings.SESSION_TTL_MS, pollMs, snapshotAgeMsMax: settings.SNAPSHOT_AGE_MS_MAX, release: readRelease() }, clock, logger);
  const leaseSettings = { databaseUrl, floorWaitMs: settings.FLOOR_WAIT_MS, floorWaiters: settings.FLOOR_WAITERS, idleLeaseMs: settings.IDLE_LEASE_MS, ...leaseLimits };
  const leases = new LeaseService(leaseSettings, session, clock, logger);
  const holdings = new HoldingService(leaseSettings, leases, session);
  const settlement = new SettlementService(
    {
      databaseUrl,
      entriesMax: flushEntriesMax,
      bytesMax: flushBytesMax,
      pendingSettlesMax: settings.PENDING_SETTLES_MAX,
      settleWaitMs: settings.SETTLE_WAIT_MS,
      failpoint,
      ...(tracing ? { onFlush: traceFlush(tracing, session.id, clock) } : {}),
    },
    session,
    clock,
    logger,
  );
  const limits = { checkpointMs: settings.CHECKPOINT_MS, checkpointStaleMsMax: settings.CHECKPOINT_STALE_MS_MAX };
  const running = new RunningRequests(limits, session, settlement, failpoint, logger);
  const metrics = createGatewayMetrics(registry, { unsettled: () => settlement.unsettled(), running: () => running.size });
  const threads = openThreads(settings.WORKER_THREADS_MAX ?? defaultThreads(), logger);
  const counter = new TokenCounter(threads, logger, metrics.countSampled);
  const ending = new EndingService(holdings, leases, settlement, running, metrics, new Estimator(counter), logger);
  const { lanes, notices, laneKeys } = composeLanes(settings, metrics, logger);
  const catalogue = new CatalogueService(pool, session, logger);
  catalogue.onLoad((loaded) => laneKeys.load(loaded));
  const quota = new QuotaService({ databaseUrl, waitersMax: settings.FLOOR_WAITERS }, session, clock, logger);
  session.onPoll((answer) => quota.onPoll(answer));
  const relayLimits = {
    attemptsMax: settings.ATTEMPTS_MAX,
    firstByteMsMax: settings.FIRST_BYTE_MS_MAX,
    requestMsMax: settings.REQUEST_MS_MAX,
    drainJsonMsMax: settings.DRAIN_JSON_MS_MAX,
    clientStallMsMax: settings.CLIENT_STALL_MS_MAX,
    drainStreamMsMax: settings.DRAIN_STREAM_MS_MAX,
    answerGraceMs: settings.ANSWER_GRACE_MS,
    heartbeatMs: settings.HEARTBEAT_MS,
  };
  const deadlines = createDeadlines(() => clock.monotonicMs());
  const meter = createBytesMeter({ all: settings.BODY_BYTES_IN_FLIGHT_MAX, perOrganization: settings.BODY_BYTES_PER_ORGANIZATION_MAX, perKey: settings.BODY_BYTES_PER_KEY_MAX });
  const relay = { lanes, ending, running, session, meter, metrics, notices, limits: relayLimits, deadlines, failpoint, nowMs: () => session.nowMs() };
  const idempotency = new IdempotencyService({ databaseUrl, keepMs: settings.IDEMPOTENCY_KEEP_MS }, session, failpoint, logger);
  const admissions = new AdmissionService(settings, session, holdings, settlement, catalogue, laneKeys, new LimitsService(quota, session), idempotency, running);
  return {
    pool,
    session,
    leases,
    settlement,
    running,
    deadlines,
    lanes,
    catalogue,
    keys: new KeyService(pool, session),
    account: new AccountService(databaseUrl, session, leases, running),
    idempotency,
    admissions,
    quota,
    threads,
    meter,
    counter,
    intake: new Intake({ bodyBytesMax: settings.BODY_LIMIT_BYTES, stallMsMax: settings.BODY_STALL_MS_MAX }, threads, meter, deadlines, registry),
    completions: new CompletionsService(session, admissions, running, relay, failpoint),
  };
};

export const gatewayParts = Symbol('the parts of the gateway');
export type GatewayParts = Parts;

/** Builds the request path by hand: its parts are made once, in this order, and nothing else is to be found by name. */
@Module({})
export class GatewayModule implements OnApplicationShutdown {
  static compose(platform: Platform<GatewaySettings>, failpoint: Failpoint): DynamicModule {
    return { module: GatewayModule, providers: [{ provide: gatewayParts, useFactory: () => compose(platform, failpoint) }], exports: [gatewayParts] };
  }

  constructor(@Inject(gatewayParts) private readonly parts: Parts) {}

  async onApplicationShutdown(): Promise<void> {
    const { running, deadlines, lanes, leases, quota, settlement, session, idempotency, threads, account, pool } = this.parts;
    running.stop();
    deadlines.stop();
    await Promise.allSettled([lanes.stop(), leases.stop(), quota.stop(), settlement.stop(), session.stop(), idempotency.stop(), threads.stop(), account.stop(), pool.end()]);
  }
}
