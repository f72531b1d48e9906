import { randomBytes } from 'node:crypto';
import { changeThrough, mintId, type ControlPool, type Db } from '@kilotoken/platform';
import { newServiceTokenSchema, pageSchema, placeSchema, type NewServiceToken, type Page, type Place, type ServiceToken } from './people.js';
import { explaining, notFound, parseInput } from './people.errors.js';
import { hashSecret, mintServiceToken } from './secret-text.js';
import { insertServiceToken, listServiceTokenRows, revokeServiceTokenRow } from './service-token.store.js';

/** The only type with the token: the caller shows it once. */
export interface NewlyMintedToken extends ServiceToken {
  readonly token: string;
}

/** Throws `people_invalid`, for a role of the other kind of organization too. */
export const createServiceToken = async (pool: ControlPool, input: NewServiceToken): Promise<NewlyMintedToken> => {
  const asked = parseInput(newServiceTokenSchema, input);
  const { token, prefix } = mintServiceToken(randomBytes);
  const made = await explaining(changeThrough(pool, asked.organizationId, (db) => insertServiceToken(db, { ...asked, id: mintId(Date.now()), prefix, hash: hashSecret(token) })));
  return { ...made, token };
};

/** The newest first, inside a transaction that may read the organization. */
export const listServiceTokens = (db: Db, organizationId: string, page: Page = {}): Promise<ServiceToken[]> => {
  const { after, limit } = parseInput(pageSchema, page);
  return listServiceTokenRows(db, organizationId, after, limit);
};

/** Refused from the next request on. Throws `service_token_not_found`. */
export const revokeServiceToken = async (pool: ControlPool, input: Place): Promise<ServiceToken> => {
  const { organizationId, id } = parseInput(placeSchema, input);
  const token = await changeThrough(pool, organizationId, (db) => revokeServiceTokenRow(db, organizationId, id));
  if (!token) throw notFound('service_token', 'The organization has no such token.');
  return token;
};

/** Whether the organization has this token, and it is valid for a month more. Tokens are told apart by their beginning: who asks cannot read their hashes. */
export const isActiveServiceToken = async (db: Db, organizationId: string, token: string): Promise<boolean> => {
  const known = await listServiceTokenRows(db, organizationId, undefined, 1_000);
  const monthMs = 30 * 24 * 3_600_000;
  return known.some(({ prefix, status, expiresAt }) => token.startsWith(prefix) && status === 'active' && expiresAt.getTime() > Date.now() + monthMs);
};
