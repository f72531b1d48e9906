import type { Membership, Role } from '@kilotoken/access';
import type { Db } from '@kilotoken/platform';

export interface SessionRow {
  readonly sessionId: string;
  readonly personId: string;
  readonly name: string;
  readonly email: string;
  readonly locale: string;
  readonly twoFactorEnabled: boolean;
  readonly expiresAt: Date;
  readonly impersonating: string | null;
  readonly memberships: readonly Membership[];
}

export interface TokenRow {
  readonly tokenId: string;
  readonly name: string;
  readonly organizationId: string;
  readonly role: Role;
  readonly permissions: readonly string[] | null;
  readonly descendantIds: readonly string[];
}

export const findSession = async (db: Db, token: string): Promise<SessionRow | null> =>
  (
    await db.query<SessionRow>({
      name: 'viewer_of_session',
      text: `SELECT session_id AS "sessionId", person_id AS "personId", name, email, locale, two_factor_enabled AS "twoFactorEnabled", expires_at AS "expiresAt", impersonating, memberships
        FROM viewer_of_session($1)`,
      values: [token],
    })
  ).rows[0] ?? null;

export const findToken = async (db: Db, hash: Buffer): Promise<TokenRow | null> =>
  (
    await db.query<TokenRow>({
      name: 'viewer_of_token',
      text: 'SELECT token_id AS "tokenId", name, organization_id AS "organizationId", role, permissions, descendant_ids AS "descendantIds" FROM viewer_of_token($1)',
      values: [hash],
    })
  ).rows[0] ?? null;
