/** The routes of sign-in, which are plain HTTP: a session is a cookie that scripts cannot read. */

export type AuthAnswer<Answer> = { readonly ok: true; readonly value: Answer } | { readonly ok: false; readonly status: number; readonly code: string; readonly message: string };

interface AuthProblem {
  readonly code?: string;
  readonly message?: string;
}

const call = async <Answer>(method: 'GET' | 'POST', path: string, body?: object): Promise<AuthAnswer<Answer>> => {
  const init: RequestInit = { method, credentials: 'same-origin', headers: { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) } };
  if (body) init.body = JSON.stringify(body);
  const response = await fetch(`/api/auth/${path}`, init).catch(() => null);
  if (!response) return { ok: false, status: 0, code: 'UNREACHABLE', message: '' };
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return { ok: true, value: answer as Answer };
  const { code = '', message = '' } = (answer ?? {}) as AuthProblem;
  return { ok: false, status: response.status, code, message };
};

export interface SignInAnswer {
  /** The password was right, and a code is still needed. */
  readonly twoFactorRedirect?: boolean;
}

export interface SignedInSession {
  readonly id: string;
  readonly token: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly ipAddress?: string | null;
  readonly userAgent?: string | null;
}

export interface TwoFactorSetUp {
  readonly totpURI: string;
  readonly backupCodes: readonly string[];
}

export interface InvitationFacts {
  readonly organizationName: string;
  readonly email: string;
  /** The address has an account already, so its password is asked for and no name. */
  readonly isKnown: boolean;
}

export const auth = {
  signIn: (email: string, password: string) => call<SignInAnswer>('POST', 'sign-in/email', { email, password }),
  verifyCode: (code: string) => call<object>('POST', 'two-factor/verify-totp', { code }),
  verifyRecoveryCode: (code: string) => call<object>('POST', 'two-factor/verify-backup-code', { code }),
  signOut: () => call<object>('POST', 'sign-out', {}),
  requestReset: (email: string) => call<object>('POST', 'request-password-reset', { email, redirectTo: '/reset-password' }),
  resetPassword: (token: string, newPassword: string) => call<object>('POST', 'reset-password', { token, newPassword }),
  lookUpInvitation: (token: string) => call<InvitationFacts>('POST', 'invitations/look-up', { token }),
  acceptInvitation: (token: string, name: string, password: string) => call<object>('POST', 'invitations/accept', { token, password, ...(name !== '' && { name }) }),
  changePassword: (currentPassword: string, newPassword: string) => call<object>('POST', 'change-password', { currentPassword, newPassword, revokeOtherSessions: true }),
  updateName: (name: string) => call<object>('POST', 'update-user', { name }),
  beginTwoFactor: (password: string) => call<TwoFactorSetUp>('POST', 'two-factor/enable', { password }),
  endTwoFactor: (password: string) => call<object>('POST', 'two-factor/disable', { password }),
  renewRecoveryCodes: (password: string) => call<{ readonly backupCodes: readonly string[] }>('POST', 'two-factor/generate-backup-codes', { password }),
  listSessions: () => call<readonly SignedInSession[]>('GET', 'list-sessions'),
  currentSession: () => call<{ readonly session: { readonly token: string } } | null>('GET', 'get-session'),
  revokeSession: (token: string) => call<object>('POST', 'revoke-session', { token }),
  revokeOtherSessions: () => call<object>('POST', 'revoke-other-sessions', {}),
};
