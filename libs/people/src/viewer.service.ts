import { Injectable } from '@nestjs/common';
import { permissionsOf, type Permission, type Viewer } from '@kilotoken/access';
import type { Keyring } from '@kilotoken/platform';
import type { Pool } from 'pg';
import { readSessionToken, sessionCookieName } from './session-cookie.js';
import { hashSecret, isServiceToken } from './secret-text.js';
import { signInUse } from './sign-in.js';
import { findSession, findToken, type SessionRow } from './viewer.store.js';

export interface ViewerHeaders {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
}

export interface ResolvedViewer {
  readonly viewer: Viewer;
  /** Null: a service token. */
  readonly session: Pick<SessionRow, 'sessionId' | 'name' | 'email' | 'locale' | 'twoFactorEnabled' | 'expiresAt'> | null;
}

/**
 * Tells who asks, by a service token or a session's cookie, anew for each request: one statement, no cache, so what was revoked is refused from
 * the next request on. Null: nobody that we know. The pool is the api's own; functions of the database look up what it may not read.
 */
@Injectable()
export class ViewerService {
  private readonly cookieName: string;
  private readonly secrets: readonly string[];

  constructor(
    private readonly pool: Pool,
    keyring: Keyring,
    publicUrl: string,
  ) {
    this.cookieName = sessionCookieName(publicUrl.startsWith('https:'));
    this.secrets = keyring.derive(signInUse).map(({ secret }) => secret);
  }

  async resolve({ authorization, cookie }: ViewerHeaders): Promise<ResolvedViewer | null> {
    // A token that was sent is meant: a cookie does not make up for a wrong one.
    if (authorization !== undefined) return this.resolveToken(/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '');
    const token = readSessionToken(cookie, this.cookieName, this.secrets);
    return token === null ? null : this.resolveSession(token);
  }

  private async resolveToken(text: string): Promise<ResolvedViewer | null> {
    if (!isServiceToken(text)) return null;
    const row = await findToken(this.pool, hashSecret(text));
    if (!row) return null;
    const { tokenId: id, organizationId, role, descendantIds, permissions } = row;
    const memberships = [{ organizationId, role, descendantIds }];
    return { viewer: { kind: 'token', id, memberships, permissions: permissions && new Set(permissions as Permission[]), impersonating: null }, session: null };
  }

  private async resolveSession(token: string): Promise<ResolvedViewer | null> {
    const row = await findSession(this.pool, token);
    if (!row) return null;
    const { personId: id, memberships, impersonating, sessionId, name, email, locale, twoFactorEnabled, expiresAt } = row;
    // Somebody who lost the permission meanwhile is back at their own pages.
    const mayImpersonate = memberships.some(({ role }) => permissionsOf(role).has('staff.impersonate'));
    return {
      viewer: { kind: 'person', id, memberships, permissions: null, impersonating: mayImpersonate ? impersonating : null },
      session: { sessionId, name, email, locale, twoFactorEnabled, expiresAt },
    };
  }
}
