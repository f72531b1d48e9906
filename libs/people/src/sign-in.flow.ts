import { actorSession, createControlPool, mintId, type Actor, type ControlPool, type Keyring, type PoolSettings } from '@kilotoken/platform';
import { betterAuth } from 'better-auth';
import { APIError } from 'better-auth/api';
import { twoFactor } from 'better-auth/plugins';
import { createHash } from 'node:crypto';
import { hashPassword, isPassword } from './password.client.js';
import { passwordLengthMax, passwordLengthMin } from './people.js';
import { putPersonMail, resetLink } from './person-mail.store.js';
import { findPerson } from './person.store.js';
import { sessionCookieName, signSessionAnew } from './session-cookie.js';
import { keyVersionOf, originsOf, signInModels, signInUse } from './sign-in.js';

export interface SignInSettings {
  /** The console's address, without a path. */
  readonly publicUrl: string;
  readonly keyring: Keyring;
}

/** The header in which the face tells from which address a request comes. */
export const clientAddressHeader = 'x-kilotoken-client-address';
export const signInPath = '/api/auth';
const sessionSeconds = 7 * 24 * 3_600;
/** A session that is used gets a new end once a day. */
const sessionUpdateSeconds = 24 * 3_600;
/** Turning the second factor off and the like take a sign-in this fresh. */
const resetSeconds = 3_600;

const signInActor: Actor = { kind: 'system', id: 'sign-in', name: null };

/** Connections that become `kilotoken_sign_in`, which alone reads passwords and sessions. The login is the api's or the control plane's. */
export const createSignInPool = (settings: Omit<PoolSettings, 'sessionOptions'>, actor: Actor = signInActor): ControlPool =>
  createControlPool(actor, { ...settings, sessionOptions: `-c role=kilotoken_sign_in ${actorSession(actor)}` });

export interface SignIn {
  handle(request: Request): Promise<Response>;
}

const refused = (): APIError => new APIError('UNAUTHORIZED', { code: 'INVALID_EMAIL_OR_PASSWORD', message: 'Invalid email or password' });

/**
 * Sign-in by better-auth over our tables: e-mail and password, cookie sessions, authenticator applications with recovery codes, password reset by
 * mail. Nobody signs up: people come by invitation. Bounds on guessing stand before it (`throttle.flow.ts`).
 */
export const createSignIn = (pool: ControlPool, settings: SignInSettings): SignIn => {
  const { publicUrl, keyring } = settings;
  const auth = betterAuth({
    appName: 'Kilotoken',
    baseURL: publicUrl,
    basePath: signInPath,
    trustedOrigins: originsOf(publicUrl),
    secrets: keyring.derive(signInUse).map(({ id, secret }) => ({ version: keyVersionOf(id), value: secret })),
    database: pool,
    logger: { disabled: true },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    user: signInModels.user,
    session: { ...signInModels.session, expiresIn: sessionSeconds, updateAge: sessionUpdateSeconds },
    account: signInModels.account,
    verification: { ...signInModels.verification, storeIdentifier: 'hashed' },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: passwordLengthMin,
      maxPasswordLength: passwordLengthMax,
      password: { hash: hashPassword, verify: ({ hash, password }) => isPassword(hash, password) },
      resetPasswordTokenExpiresIn: resetSeconds,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword: async ({ user, token }) => {
        const person = await findPerson(pool, { id: user.id });
        if (!person || person.disabledAt) return;
        const key = `reset/${createHash('sha256').update(token).digest('hex').slice(0, 32)}`;
        await putPersonMail(pool, settings, key, person, { kind: 'reset', link: resetLink(settings, token) });
      },
    },
    databaseHooks: {
      session: {
        create: {
          before: async ({ userId }) => {
            const person = await findPerson(pool, { id: userId });
            if (!person || person.disabledAt || person.erasedAt) throw refused();
          },
        },
      },
    },
    plugins: [
      twoFactor({
        issuer: 'Kilotoken',
        // Counted by address and account instead: a lock of the account alone would let one lock another out.
        accountLockout: { enabled: false },
        schema: signInModels.twoFactor,
      }),
    ],
    advanced: {
      cookiePrefix: 'kilotoken',
      useSecureCookies: publicUrl.startsWith('https:'),
      ipAddress: { ipAddressHeaders: [clientAddressHeader] },
      database: { generateId: () => mintId(Date.now()) },
    },
  });
  const cookieName = sessionCookieName(publicUrl.startsWith('https:'));
  const secrets = keyring.derive(signInUse).map(({ secret }) => secret);
  return { handle: (request) => auth.handler(secrets.length > 1 ? withCookieSignedAnew(request, cookieName, secrets) : request) };
};

/** Sessions outlive a new key: their cookies are signed by an older one until better-auth sets them anew. */
const withCookieSignedAnew = (request: Request, cookieName: string, secrets: readonly string[]): Request => {
  const cookie = request.headers.get('cookie');
  if (cookie !== null) request.headers.set('cookie', signSessionAnew(cookie, cookieName, secrets));
  return request;
};
