import { completionTokens, promptTokens, type TokenCounts } from '@kilotoken/contracts';

/** The question of a page: its path and query. */
export interface Asked {
  readonly organization: string;
  readonly id: string;
  readonly first: number;
  readonly after: string | null;
  readonly from: string;
  readonly until: string;
}

/** A request as rows of a page and the head of its detail show it. */
export interface RequestRowSql {
  readonly id: string;
  readonly model: string;
  readonly outcome: string;
  readonly status: number;
  readonly error_code: string | null;
  readonly stream: boolean;
  readonly counts: TokenCounts;
  readonly unit: string;
  readonly charge: string;
  readonly admitted_at: Date;
  readonly first_token_at: Date | null;
  readonly settled_at: Date;
  readonly project_id: string;
  readonly project: string;
  readonly api_key_id: string;
  readonly api_key: string;
}

export const globalId = (type: string, organization: string, id: string): string => Buffer.from(`${type}:${organization}:${id}`).toString('base64url');

export const requestRowSql = `u.id, u.model, u.outcome, u.status, u.error_code, u.stream, u.counts, u.unit, trim_scale(u.charge)::text AS charge, u.admitted_at, u.first_token_at, u.settled_at,
  u.project_id, p.name AS project, u.api_key_id, k.name AS api_key`;
export const requestJoins = `JOIN project p ON p.organization_id = u.organization_id AND p.id = u.project_id JOIN api_key k ON k.organization_id = u.organization_id AND k.id = u.api_key_id`;

export const requestRowOf = (organization: string, row: RequestRowSql): object => ({
  id: globalId('Request', organization, row.id), requestId: row.id, model: row.model, outcome: row.outcome, status: row.status, errorCode: row.error_code, stream: row.stream,
  inputTokens: String(promptTokens(row.counts)), outputTokens: String(completionTokens(row.counts)),
  charges: [{ unit: row.unit, amount: row.charge, __typename: 'Charge' }], admittedAt: row.admitted_at, firstTokenAt: row.first_token_at, settledAt: row.settled_at,
  project: { id: globalId('Project', organization, row.project_id), name: row.project, __typename: 'Project' },
  apiKey: { id: globalId('ApiKey', organization, row.api_key_id), name: row.api_key, __typename: 'ApiKey' },
  __typename: 'Request',
});
