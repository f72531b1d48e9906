import { formatMoney, parseMoney } from '@kilotoken/money';
import type pg from 'pg';
import { readDetail } from './api-bare-detail.js';
import { globalId, requestJoins, requestRowOf, requestRowSql, type Asked, type RequestRowSql } from './api-bare-request.js';
import { readUsage } from './api-bare-usage.js';

/** Hand-written pages: SQL with joins for exactly what a page shows, and the answer as an object, field by field in the order of the console's operations. */
type BarePage = (db: pg.PoolClient, asked: Asked) => Promise<object>;

const dayMs = 86_400_000n;
const runsOutWithinMs = 3_653n * dayMs;
const childrenMax = 100;

const cursorOf = (id: string | undefined): string | null => (id === undefined ? null : Buffer.from(JSON.stringify([id])).toString('base64url'));
const idOf = (cursor: string | null): string | null => (cursor === null ? null : (JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string])[0]);
const pageInfoOf = (ids: readonly string[], first: number): object => ({ hasNextPage: ids.length > first, endCursor: cursorOf(ids.slice(0, first).at(-1)), __typename: 'PageInfo' });

const readBalances: BarePage = async (db, { organization }) => {
  const balances = await db.query<{ unit: string; available: string; held: string; granted: string; used: string; expiresNext: Date | null; burned: string; burnedDays: number; now: Date }>({
    name: 'bare_balances',
    text: `WITH burn AS (
             SELECT unit, sum(charge) AS charge, min(starts_at) AS since FROM usage_rollup
             WHERE organization_id = $1 AND grain_minutes = 1440 AND tag_key = '' AND starts_at > kt_now() - interval '7 days' GROUP BY unit)
           SELECT b.unit,
             trim_scale(coalesce(sum(b.available + b.leased - b.spent_open - b.held_elsewhere) FILTER (WHERE b.effective_at <= kt_now() AND (b.expires_at IS NULL OR b.expires_at > kt_now())), 0))::text AS available,
             trim_scale(sum(b.held_elsewhere))::text AS held, trim_scale(sum(b.granted - b.removed))::text AS granted, trim_scale(sum(b.settled + b.spent_open))::text AS used,
             min(b.expires_at) FILTER (WHERE b.expires_at > kt_now() AND b.available + b.leased > 0) AS "expiresNext",
             coalesce(max(burn.charge), 0)::text AS burned, least(7, greatest(1, extract(epoch FROM kt_now() - max(burn.since)) / 86400))::float8 AS "burnedDays", kt_now() AS now
           FROM grant_balances($1, NULL) b LEFT JOIN burn ON burn.unit = b.unit GROUP BY b.unit ORDER BY b.unit`,
    values: [organization],
  });
  const children = await db.query<{ id: string; slug: string; name: string; kind: string; time_zone: string }>({
    name: 'bare_children',
    text: 'SELECT id, slug, name, kind, time_zone FROM organization WHERE parent_id = $1 ORDER BY slug LIMIT $2',
    values: [organization, childrenMax],
  });
  return {
    id: globalId('Organization', organization, organization),
    balances: balances.rows.map(({ unit, available, held, granted, used, expiresNext, burned, burnedDays, now }) => {
      const burnedMs = BigInt(Math.round((burnedDays ?? 1) * Number(dayMs)));
      const charge = parseMoney(burned);
      const left = parseMoney(available);
      const leftMs = charge <= 0n || left <= 0n ? 0n : (left * burnedMs) / charge;
      const runsOutOn = charge <= 0n || leftMs > runsOutWithinMs ? null : new Date(now.getTime() + Number(leftMs));
      return { unit, available, held, granted, used, burnPerDay: formatMoney((charge * dayMs) / burnedMs), runsOutOn, expiresNext, __typename: 'Balance' };
    }),
    children: {
      nodes: children.rows.map(({ id, slug, name, kind, time_zone: timeZone }) => ({ id: globalId('Organization', id, id), slug, name, kind: kind.toUpperCase(), timeZone, __typename: 'Organization' })),
      __typename: 'OrganizationConnection',
    },
    __typename: 'Organization',
  };
};

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly state: string;
  readonly allowed_models: string[] | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
  readonly project_id: string;
  readonly project: string;
  readonly lineage_id: string;
}

interface KeyLimitRow {
  readonly id: string;
  readonly subject_id: string;
  readonly name: string;
  readonly measure: string;
  readonly unit: string;
  readonly window_kind: string;
  readonly window_ms: bigint;
  readonly amount: string;
  readonly mode: string;
  readonly used: string;
  readonly created_at: Date;
}

const readKeys: BarePage = async (db, { organization, first, after }) => {
  const keys = await db.query<KeyRow>({
    name: 'bare_keys',
    text: `SELECT k.id, k.name, k.prefix, CASE WHEN k.revoked_at IS NOT NULL THEN 'REVOKED' WHEN k.expires_at <= kt_now() THEN 'EXPIRED' ELSE 'ACTIVE' END AS state,
             k.allowed_models, k.created_at, k.expires_at, k.revoked_at, u.last_used_at, k.project_id, p.name AS project, coalesce(k.lineage_id, k.id) AS lineage_id
           FROM api_key k JOIN project p ON p.organization_id = k.organization_id AND p.id = k.project_id
           LEFT JOIN api_key_use u ON u.organization_id = k.organization_id AND u.api_key_id = k.id
           WHERE k.organization_id = $1 AND ($2::uuid IS NULL OR k.id < $2) ORDER BY k.id DESC LIMIT $3`,
    values: [organization, idOf(after), first + 1],
  });
  const limits = await db.query<KeyLimitRow>({
    name: 'bare_key_limits',
    text: `SELECT l.id, l.subject_id, (SELECT k.name FROM api_key k WHERE k.organization_id = l.organization_id AND coalesce(k.lineage_id, k.id) = l.subject_id ORDER BY k.id DESC LIMIT 1) AS name,
             l.measure, l.unit, l.window_kind, l.window_ms, trim_scale(l.amount)::text AS amount, l.mode, l.created_at,
             (SELECT trim_scale(coalesce(sum(c.taken), 0))::text FROM limit_counter c WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.window_end_ms > w.counted_from_ms) AS used
           FROM usage_limit l JOIN organization o ON o.id = l.organization_id CROSS JOIN LATERAL limit_window(l, o.time_zone, kt_now()) w
           WHERE l.organization_id = $1 AND l.subject_kind = 'key' AND l.subject_id = ANY ($2::uuid[])
           ORDER BY l.created_at, l.id`,
    values: [organization, keys.rows.map(({ lineage_id: lineageId }) => lineageId)],
  });
  const limitOf = (l: KeyLimitRow): object => ({
    id: globalId('Limit', organization, l.id),
    subject: { kind: 'api_key', name: l.name, id: globalId('ApiKey', organization, l.subject_id), __typename: 'LimitSubject' },
    measure: l.measure, unit: l.unit, window: l.window_kind === 'rolling' ? `${l.window_ms / 1_000n}s` : l.window_kind, amount: l.amount, mode: l.mode, used: l.used, createdAt: l.created_at,
    __typename: 'Limit',
  });
  const nodes = keys.rows.slice(0, first).map((k) => ({
    id: globalId('ApiKey', organization, k.id), name: k.name, prefix: k.prefix, state: k.state, allowedModels: k.allowed_models, createdAt: k.created_at, expiresAt: k.expires_at,
    revokedAt: k.revoked_at, lastUsedAt: k.last_used_at,
    project: { id: globalId('Project', organization, k.project_id), name: k.project, __typename: 'Project' },
    limits: limits.rows.filter(({ subject_id: subjectId }) => subjectId === k.lineage_id).map(limitOf),
    __typename: 'ApiKey',
  }));
  const pageInfo = pageInfoOf(keys.rows.map(({ id }) => id), first);
  return { id: globalId('Organization', organization, organization), apiKeys: { nodes, pageInfo, __typename: 'ApiKeyConnection' }, __typename: 'Organization' };
};

const readRequests: BarePage = async (db, { organization, first, after }) => {
  const { rows } = await db.query<RequestRowSql>({
    text: `SELECT ${requestRowSql} FROM (
             SELECT DISTINCT ON (id) * FROM usage WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC, attempt DESC LIMIT $3) u ${requestJoins} ORDER BY u.id DESC`,
    values: [organization, idOf(after), first + 1],
  });
  const nodes = rows.slice(0, first).map((row) => requestRowOf(organization, row));
  const pageInfo = pageInfoOf(rows.map(({ id }) => id), first);
  return { id: globalId('Organization', organization, organization), requests: { nodes, pageInfo, __typename: 'RequestConnection' }, __typename: 'Organization' };
};

/** By the part of their path behind the organization. */
export const barePages: Readonly<Record<string, BarePage>> = { balances: readBalances, keys: readKeys, requests: readRequests, usage: readUsage, 'requests/:id': readDetail };
