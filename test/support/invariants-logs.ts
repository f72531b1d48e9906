import type { ClientLogEntry } from './client-log.js';
import { withOwner } from './invariants.js';
import type { VendorLogEntry } from './vendor.js';

/**
 * I10: what the client got, what the vendor served and what the database billed, compared request by request. Client and
 * database meet by request id, database and vendor by the vendor's response id, client and vendor by label.
 */

export interface LogComparison {
  violations: string[];
  /** Served completely by a vendor, without a usage row: lost to us, at most what was in flight when a gateway died. */
  vendorOnly: VendorLogEntry[];
  /** Completed by client, vendor and database alike. */
  agreed: number;
}

export interface ComparedLogs {
  client: readonly ClientLogEntry[];
  vendor: readonly VendorLogEntry[];
}

interface VendorIndex {
  byId: ReadonlyMap<string, VendorLogEntry>;
  /** By our request id, which the gateway sends along. */
  byRequest: ReadonlyMap<string | null, VendorLogEntry>;
}

interface UsageRow {
  id: string;
  attempt: number;
  outcome: string;
  status: number;
  estimated: boolean;
  upstream_id: string | null;
  prompt_tokens: string;
  completion_tokens: string;
  charge: string;
  /** The charges of packs by unit, as the header of an answer lists it before the money; empty where none did. */
  packs: string;
  unit: string;
}

const USAGE = `
  SELECT u.id, u.attempt, u.outcome, u.status, u.estimated, u.upstream_id, trim_scale(u.charge)::text AS charge, u.unit,
    coalesce((SELECT string_agg(format('%s %s', trim_scale(p.charge), p.unit), ', ' ORDER BY p.place) FROM (
      SELECT o.p ->> 'unit' AS unit, min(o.n) AS place, sum((o.p ->> 'charge')::numeric) AS charge FROM jsonb_array_elements(u.portions) WITH ORDINALITY AS o (p, n)
      WHERE o.p ->> 'unit' <> u.unit AND (o.p ->> 'charge')::numeric > 0 GROUP BY 1) p), '') AS packs,
    coalesce(sum(c.value::numeric) FILTER (WHERE c.key IN ('input', 'cached_read', 'cache_write_5m', 'cache_write_1h', 'audio_in', 'image_in')), 0)::text AS prompt_tokens,
    coalesce(sum(c.value::numeric) FILTER (WHERE c.key IN ('output', 'reasoning', 'audio_out', 'image_out')), 0)::text AS completion_tokens
  FROM usage u LEFT JOIN LATERAL jsonb_each_text(u.counts) c ON true GROUP BY u.organization_id, u.id, u.attempt`;

export async function compareLogs(ownerUrl: string, { client, vendor }: ComparedLogs): Promise<LogComparison> {
  const rows = await withOwner(ownerUrl, async (owner) => (await owner.query<UsageRow>(USAGE)).rows);
  const vendorIndex: VendorIndex = { byId: new Map(vendor.map((entry) => [entry.id, entry])), byRequest: new Map(vendor.map((entry) => [entry.requestId, entry])) };
  const rowsById = new Map<string, UsageRow[]>();
  for (const row of rows) rowsById.set(row.id, [...(rowsById.get(row.id) ?? []), row]);

  const violations = [...rows.flatMap((row) => compareWithVendor(row, vendorIndex)), ...client.flatMap((entry) => compareWithClient(entry, rowsById))];
  const billed = new Set(rows.map(({ upstream_id }) => upstream_id));
  const billedUnnamed = new Set<string | null>(rows.filter(({ upstream_id }) => upstream_id === null).map(({ id }) => id));
  const vendorOnly = vendor.filter((entry) => entry.complete && entry.status === 200 && !billed.has(entry.id) && !billedUnnamed.has(entry.requestId));
  const agreed = client.filter(({ completed }) => completed).length;
  return { violations, vendorOnly, agreed };
}

/** Interrupted: billed ≤ served. Completed: equal, unless the vendor's own count says otherwise. */
function compareWithVendor(row: UsageRow, vendor: VendorIndex): string[] {
  if (Number(row.charge) === 0 && row.packs === '' && row.outcome !== 'completed') return [];
  const name = `usage ${row.id}/${row.attempt} (${row.outcome})`;
  // A client that left before its vendor's first byte owes the prompt; what the vendor would have called its answer is not known.
  const served = row.upstream_id === null ? vendor.byRequest.get(row.id) : vendor.byId.get(row.upstream_id);
  if (!served) return [`${name}: charged ${row.charge}, and no vendor has served ${row.upstream_id}`];
  const told = toldUsage(served);
  const [prompt, completion] = [Number(row.prompt_tokens), Number(row.completion_tokens)];
  const violations: string[] = [];
  if (row.outcome === 'completed' && told && !row.estimated) {
    if (prompt !== told.prompt || completion !== told.completion) violations.push(`${name}: counts ${prompt} + ${completion}, its vendor told ${told.prompt} + ${told.completion}`);
  } else {
    // The stand-in's chunks are tokens of the tokenizer that counts what a vendor did not, so output counts are exact.
    if (completion > served.tokens) violations.push(`${name}: billed ${completion} of output, its vendor served ${served.tokens}`);
    if (!row.estimated && prompt > served.promptTokens) violations.push(`${name}: billed ${prompt} of prompt, its vendor counted ${served.promptTokens}`);
  }
  return violations;
}

function toldUsage({ usage }: VendorLogEntry): { prompt: number; completion: number } | null {
  if (typeof usage !== 'object' || usage === null) return null;
  const { prompt_tokens: prompt, completion_tokens: completion } = usage as Record<string, unknown>;
  return typeof prompt === 'number' && typeof completion === 'number' ? { prompt, completion } : null;
}

function compareWithClient(entry: ClientLogEntry, rowsById: ReadonlyMap<string, UsageRow[]>): string[] {
  const name = `client ${entry.label} (request ${entry.requestId}, status ${entry.status})`;
  const rows = (entry.requestId === null ? undefined : rowsById.get(entry.requestId)) ?? [];
  const charged = rows.filter(({ charge, packs }) => Number(charge) > 0 || packs !== '');
  if (!entry.completed) {
    const isRefused = entry.status !== null && entry.status >= 400;
    return isRefused && !entry.aborted && charged.length > 0 && entry.errorCode !== 'settlement_failed' ? [`${name}: refused with ${entry.errorCode} and charged ${charged[0]!.charge}`] : [];
  }
  const row = rows.find(({ outcome }) => outcome === 'completed');
  if (!row) return [`${name}: completed, and no usage row says so (${rows.map(({ outcome }) => outcome).join(', ') || 'none at all'})`];
  const violations: string[] = [];
  const said = entry.usage;
  if (!said) violations.push(`${name}: completed without usage`);
  else if (String(said.prompt_tokens) !== row.prompt_tokens || String(said.completion_tokens) !== row.completion_tokens) {
    violations.push(`${name}: was told ${said.prompt_tokens} + ${said.completion_tokens}, the database has ${row.prompt_tokens} + ${row.completion_tokens}`);
  }
  if (entry.cost !== row.charge) violations.push(`${name}: was told a cost of ${entry.cost}, the database has ${row.charge}`);
  const charge = row.packs === '' ? row.charge : `${row.packs}, ${row.charge} ${row.unit}`;
  if (entry.charge !== null && entry.charge !== charge) violations.push(`${name}: was told a charge of ${entry.charge}, the database has ${charge}`);
  return violations;
}

/** Throws with every disagreement in words. `vendorOnlyMax`: what was in flight when a gateway died. */
export async function expectLogsAgree(ownerUrl: string, logs: ComparedLogs, { vendorOnlyMax = 0 } = {}): Promise<LogComparison> {
  const comparison = await compareLogs(ownerUrl, logs);
  const { violations, vendorOnly } = comparison;
  if (vendorOnly.length > vendorOnlyMax) violations.push(`${vendorOnly.length} answers of vendors have no usage row, at most ${vendorOnlyMax} were in flight: ${vendorOnly.map(({ id, label }) => `${id} ${label}`).join(', ')}`);
  if (violations.length > 0) throw new Error(`${violations.length} disagreements:\n  ${violations.slice(0, 40).join('\n  ')}`);
  return comparison;
}
