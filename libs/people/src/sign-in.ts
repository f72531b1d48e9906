/** How better-auth's models are called in the database. Its own names stand on the left. */
export const signInModels = {
  user: { modelName: 'person', fields: { emailVerified: 'email_verified', createdAt: 'created_at', updatedAt: 'updated_at' } },
  session: {
    modelName: 'sign_in_session',
    fields: { userId: 'person_id', expiresAt: 'expires_at', createdAt: 'created_at', updatedAt: 'updated_at', ipAddress: 'ip_address', userAgent: 'user_agent' },
  },
  account: {
    modelName: 'credential',
    fields: {
      userId: 'person_id',
      accountId: 'account_id',
      providerId: 'provider_id',
      accessToken: 'access_token',
      refreshToken: 'refresh_token',
      idToken: 'id_token',
      accessTokenExpiresAt: 'access_token_expires_at',
      refreshTokenExpiresAt: 'refresh_token_expires_at',
      createdAt: 'created_at',
      updatedAt: 'updated_at',
    },
  },
  verification: { modelName: 'sign_in_verification', fields: { expiresAt: 'expires_at', createdAt: 'created_at', updatedAt: 'updated_at' } },
  twoFactor: {
    user: { fields: { twoFactorEnabled: 'two_factor_enabled' } },
    twoFactor: {
      modelName: 'second_factor',
      fields: { userId: 'person_id', backupCodes: 'backup_codes', failedVerificationCount: 'failed_verification_count', lockedUntil: 'locked_until' },
    },
  },
} as const;

/** The use of the keys that sign cookies and encrypt second factors. */
export const signInUse = 'sign-in';

/** better-auth tells its keys apart by a number. */
export const keyVersionOf = (keyId: string): number => Number.parseInt(keyId, 16) % 2 ** 31;

/** A console on this machine is reached by several names. */
export const originsOf = (publicUrl: string): string[] => {
  const { hostname, port, protocol } = new URL(publicUrl);
  const loopback = ['127.0.0.1', 'localhost', '[::1]'];
  if (!loopback.includes(hostname)) return [publicUrl];
  return loopback.map((host) => `${protocol}//${host}${port === '' ? '' : `:${port}`}`);
};
