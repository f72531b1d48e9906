import type { Db } from '@kilotoken/platform';
import type { Page } from '../shapes/connection.js';
import { exact } from '../shapes/exact.js';
import { globalId } from '../shapes/global-id.js';
import type { GatewaySession, Job, Lane, QuarantinedUsage, ReconcileRun } from './operations.type.js';

const hourMinutes = 60;
const silentAfterSeconds = 10;
const rawCharactersMax = 100_000;

interface LaneRow extends Omit<Lane, 'cost'> {
  readonly cost: { class: string; amount: string; currency: string; per: number }[];
}

/** Lanes that are not retired, by model and order of choice. */
export const listLanes = async (db: Db): Promise<Lane[]> => {
  const { rows } = await db.query<LaneRow>(
    `SELECT l.id, l.model_id AS model, l.kind, l.base_url AS "baseUrl", l.upstream_model AS "upstreamModel", l.drain,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('class', r.key, 'amount', r.value, 'currency', l.cost_currency, 'per', l.cost_per) ORDER BY r.key), '[]')
         FROM jsonb_each_text(l.cost_rates) r WHERE r.value IS NOT NULL) AS cost,
       coalesce(u.requests, 0) AS "requestsLastHour", coalesce(u.errors, 0) AS "errorsLastHour"
     FROM lane l LEFT JOIN (
       SELECT lane_id, sum(requests)::bigint AS requests, sum(errors)::bigint AS errors FROM usage_rollup
       WHERE grain_minutes = 1 AND tag_key = '' AND starts_at > kt_now() - make_interval(mins => $1) GROUP BY lane_id) u ON u.lane_id = l.id
     WHERE l.retired_at IS NULL ORDER BY l.model_id, l.position, l.id`,
    [hourMinutes],
  );
  return rows.map(({ cost, ...row }) => ({ ...row, id: globalId('Lane', '', row.id), cost: cost.map((price) => ({ ...price, amount: exact(price.amount) })) }));
};

/** Gateways that live, and those that ended within a day; the last to begin first. */
export const listGatewaySessions = async (db: Db): Promise<GatewaySession[]> => {
  const { rows } = await db.query<GatewaySession>(
    `SELECT s.id, s.app || ' ' || s.host || ' ' || s.pid AS name, s.started_at AS "startedAt", h.beat_at AS "lastHeartbeatAt",
       CASE WHEN s.reaped_at IS NOT NULL THEN 'ended' WHEN h.beat_at > kt_now() - make_interval(secs => $1) THEN 'alive' ELSE 'silent' END AS state,
       (SELECT count(*)::integer FROM open_request o WHERE o.session_id = s.id) AS "openRequests",
       (SELECT count(*)::integer FROM lease l WHERE l.session_id = s.id AND l.closed_at IS NULL) AS leases
     FROM session s LEFT JOIN session_heartbeat h ON h.session_id = s.id
     WHERE s.reaped_at IS NULL OR s.reaped_at > kt_now() - interval '1 day' ORDER BY s.id DESC LIMIT 200`,
    [silentAfterSeconds],
  );
  return rows.map((row) => ({ ...row, id: globalId('GatewaySession', '', row.id) }));
};

interface JobRow {
  readonly organizationId: string;
  readonly id: string;
  readonly queue: string;
  readonly key: string;
  readonly status: string;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly lastError: string | null;
  readonly payload: unknown;
}

export const toJob = ({ organizationId, id, ...row }: JobRow): Job => ({ __typename: 'Job', ...row, id: globalId('Job', organizationId, id) });

/** Jobs that were given up, the newest first. */
export const listDeadJobs = async (db: Db, { first, after }: Page): Promise<JobRow[]> => {
  const { rows } = await db.query<JobRow>(
    `SELECT organization_id AS "organizationId", id, queue, key, status, attempts, created_at AS "createdAt", coalesce(outcome ->> 'error', outcome ->> 'status') AS "lastError",
       payload - 'address' AS payload
     FROM outbox_job WHERE status = 'dead' AND ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2`,
    [after?.[0] ?? null, first + 1],
  );
  return rows;
};

export interface QuarantineRow {
  readonly organizationId: string;
  readonly id: string;
  readonly attempt: number;
  readonly reason: string;
  readonly quarantinedAt: Date;
  readonly step: string | null;
  readonly raw: Buffer;
}

export const toQuarantined = ({ id, attempt, raw, ...row }: QuarantineRow): QuarantinedUsage => ({
  __typename: 'QuarantinedUsage', ...row, id: globalId('QuarantinedUsage', row.organizationId, `${id}:${attempt}:${row.reason}`), raw: raw.toString('utf8').slice(0, rawCharactersMax),
});

/** Cases that nobody has ended, the newest first; their key is the request, the attempt and the reason. */
export const listQuarantineRows = async (db: Db, { first, after }: Page): Promise<QuarantineRow[]> => {
  const { rows } = await db.query<QuarantineRow>(
    `SELECT q.organization_id AS "organizationId", q.id, q.attempt, q.reason, q.quarantined_at AS "quarantinedAt", s.step, q.raw
     FROM usage_quarantine q LEFT JOIN LATERAL (
       SELECT s.step FROM quarantine_step s WHERE s.organization_id = q.organization_id AND s.usage_id = q.id AND s.attempt = q.attempt AND s.reason = q.reason
       ORDER BY s.sequence DESC LIMIT 1) s ON true
     WHERE coalesce(s.step, 'repaired') = 'repaired' AND ($1::uuid IS NULL OR (q.id, q.attempt, q.reason) < ($1, $2::smallint, $3::text))
     ORDER BY q.id DESC, q.attempt DESC, q.reason DESC LIMIT $4`,
    [after?.[0] ?? null, after?.[1] ?? null, after?.[2] ?? null, first + 1],
  );
  return rows;
};

interface RunRow {
  readonly id: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly holds: boolean;
  readonly findings: number;
  readonly summary: unknown;
}

export const toRun = ({ id, ...row }: RunRow): ReconcileRun => ({ __typename: 'ReconcileRun', ...row, id: globalId('ReconcileRun', '', id) });

/** Proofs of the books, the last first. */
export const listRuns = async (db: Db, { first, after }: Page): Promise<RunRow[]> => {
  const { rows } = await db.query<RunRow>(
    `SELECT id, started_at AS "startedAt", finished_at AS "finishedAt", outcome = 'holds' AS holds, least(findings, 2147483647)::integer AS findings, report AS summary
     FROM reconcile_run WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`,
    [after?.[0] ?? null, first + 1],
  );
  return rows;
};

export interface OverviewRow {
  readonly organizations: number;
  readonly gatewaysAlive: number;
  readonly openRequests: number;
  readonly pendingApprovals: number;
  readonly quarantined: number;
  readonly deadLetters: number;
  readonly unratedSeconds: string;
  readonly revenueToday: { unit: string; amount: string }[];
}

export const readOverview = async (db: Db): Promise<OverviewRow> => {
  const { rows } = await db.query<OverviewRow>(
    `SELECT (SELECT count(*)::integer FROM organization WHERE kind = 'customer') AS organizations,
       (SELECT count(*)::integer FROM session s JOIN session_heartbeat h ON h.session_id = s.id WHERE s.reaped_at IS NULL AND h.beat_at > kt_now() - make_interval(secs => $1)) AS "gatewaysAlive",
       (SELECT count(*)::integer FROM open_request) AS "openRequests",
       (SELECT count(*)::integer FROM approval WHERE decision IS NULL AND expires_at > kt_now()) AS "pendingApprovals",
       (SELECT count(*)::integer FROM usage_quarantine q WHERE NOT EXISTS (SELECT FROM quarantine_step s WHERE s.organization_id = q.organization_id AND s.usage_id = q.id
         AND s.attempt = q.attempt AND s.reason = q.reason AND s.step <> 'repaired')) AS quarantined,
       (SELECT count(*)::integer FROM outbox_job WHERE status = 'dead') AS "deadLetters",
       (SELECT round(oldest_seconds::numeric, 3)::text FROM rating_lag()) AS "unratedSeconds",
       (SELECT coalesce(jsonb_agg(jsonb_build_object('unit', unit, 'amount', amount) ORDER BY unit), '[]') FROM (
         SELECT unit, sum(charge)::text AS amount FROM usage_rollup WHERE grain_minutes = 1440 AND tag_key = '' AND starts_at = date_bin('1 day', kt_now(), 'epoch') GROUP BY unit) t) AS "revenueToday"`,
    [silentAfterSeconds],
  );
  return rows[0]!;
};
