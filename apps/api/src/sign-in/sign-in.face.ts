import { attemptWindowMs, listSessions, originsOf, revokeSession, ViewerService, acceptInvitation, changeProfile, countAttempt, forgiveAttempt, lookUpInvitation, type Attempt, type AttemptKind, type ResolvedViewer } from '@kilotoken/people';
import { clientAddressHeader, signInPath, type SignIn } from '@kilotoken/people/sign-in';
import { actingAs, AppError, toHttpError, type ControlPool } from '@kilotoken/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { clientAddressOf, parseNetworks } from './client-address.js';
import { comesFromElsewhere } from './origin.js';
import { libraryRoutes, readBody, refusalOf, sendRefusal, withoutToken } from './sign-in-routes.js';

const bodyBytesMax = 16 * 1024;

export interface SignInParts {
  readonly signIn: SignIn;
  readonly pool: ControlPool;
  readonly viewers: ViewerService;
  readonly publicUrl: string;
  readonly trustedProxies: string | undefined;
  readonly logger: Logger;
}

interface Asked {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly address: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** `/api/auth/*`: better-auth's routes that we serve, and our own beside them. Every other path is not found. */
export const registerSignInFace = async (fastify: FastifyInstance, parts: SignInParts): Promise<void> => {
  const trusted = parts.trustedProxies === undefined ? [] : parseNetworks(parts.trustedProxies);
  const origins = originsOf(parts.publicUrl);
  const answer = async (request: FastifyRequest, reply: FastifyReply, route: (asked: Asked) => Promise<unknown>): Promise<unknown> => {
    reply.header('cache-control', 'no-store');
    if (request.method !== 'GET' && comesFromElsewhere({ origin: request.headers.origin, fetchSite: single(request.headers['sec-fetch-site']) }, origins)) {
      throw new AppError({ code: 'origin_refused', kind: 'forbidden', publicMessage: 'The request comes from a page of another site.' });
    }
    const address = clientAddressOf(request.ip, single(request.headers['x-forwarded-for']), trusted);
    return route({ request, reply, address, body: request.method === 'GET' ? {} : readBody(request.body, request.headers['content-type']) });
  };
  const library = Object.entries(libraryRoutes).map(([path, { method }]) => [path, { method, run: (asked: Asked) => pass(parts, path, asked) }] as const);
  await fastify.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => sendError(request, reply, error));
    for (const [path, { method, run }] of [...Object.entries(ownRoutes(parts)), ...library]) {
      scope.route({ method, url: `${signInPath}/${path}`, bodyLimit: bodyBytesMax, handler: (request, reply) => answer(request, reply, run) });
    }
  });
};

/** Our refusals beside better-auth's, in one shape. */
const sendError = (request: FastifyRequest, reply: FastifyReply, error: unknown): void => {
  const { status, code, publicMessage } = toHttpError(error);
  request.wideEvent['code'] = code;
  if (status >= 500) request.wideEvent['error'] = error;
  void sendRefusal(reply, request.id, { status, code: code.toUpperCase(), message: publicMessage });
};

const single = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value.join(', ') : value);

/** Hands a request to better-auth, within the bounds on guessing. */
const pass = async (parts: SignInParts, path: string, asked: Asked): Promise<unknown> => {
  const { reply, request, address, body } = asked;
  const kind = libraryRoutes[path]!.attempt;
  const attempt = kind && { kind, address, account: typeof body['email'] === 'string' ? body['email'].trim().toLowerCase().slice(0, 254) : null };
  if (attempt) await refuseBeyond(parts.pool, reply, attempt);
  const library = toLibrary(parts.publicUrl, path, asked);
  if (path === 'request-password-reset') {
    // Not waited for: how long it takes would tell whether the address is known.
    parts.signIn.handle(library).catch((error: unknown) => parts.logger.error({ event: 'password_reset.failed', error }));
    return reply.code(200).header('content-type', 'application/json; charset=utf-8').send('{"status":true}');
  }
  const response = await parts.signIn.handle(library);
  const text = await response.text();
  if (response.status >= 400) return sendRefusal(reply, request.id, refusalOf(response.status, text));
  const value: unknown = text === '' ? null : JSON.parse(text);
  // A password that was right is not enough where a second factor follows: the attempt counts until that is right too.
  if (attempt && !isHalf(value)) await forgive(parts.pool, attempt, value);
  for (const cookie of response.headers.getSetCookie()) reply.header('set-cookie', cookie);
  return reply.code(response.status).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(withoutToken(value)));
};

const isHalf = (value: unknown): boolean => typeof value === 'object' && value !== null && 'twoFactorRedirect' in value;

const forgive = async (pool: ControlPool, attempt: Attempt, value: unknown): Promise<void> => {
  await forgiveAttempt(pool, attempt);
  if (attempt.kind !== 'second-factor') return;
  const account = (value as { user?: { email?: unknown } } | null)?.user?.email;
  if (typeof account === 'string') await forgiveAttempt(pool, { kind: 'sign-in', address: attempt.address, account });
};

const refuseBeyond = async (pool: ControlPool, reply: FastifyReply, attempt: Attempt): Promise<void> => {
  const waitMs = await countAttempt(pool, attempt);
  if (waitMs === 0) return;
  reply.header('retry-after', String(Math.ceil(waitMs / 1000)));
  throw new AppError({ code: 'too_many_attempts', kind: 'exhausted', publicMessage: `Too many attempts. Try again in ${Math.ceil(Math.min(waitMs, attemptWindowMs) / 60_000)} minutes.` });
};

/** The request as better-auth reads it: our address and headers, whoever asked by which. */
const toLibrary = (publicUrl: string, path: string, { request, address, body }: Asked): Request => {
  const headers = new Headers({ [clientAddressHeader]: address, origin: publicUrl, 'content-type': 'application/json' });
  for (const name of ['cookie', 'user-agent'] as const) {
    const value = request.headers[name];
    if (value !== undefined) headers.set(name, value.slice(0, 8_192));
  }
  const method = request.method;
  return new Request(`${publicUrl}${signInPath}/${path}`, { method, headers, ...(method === 'GET' ? {} : { body: JSON.stringify(body) }) });
};

type OwnRoute = { readonly method: 'GET' | 'POST'; readonly run: (asked: Asked) => Promise<unknown> };

/** Routes of our own: invitations, and sessions, whose tokens never leave: clients name a session by its id. */
const ownRoutes = (parts: SignInParts): Readonly<Record<string, OwnRoute>> => {
  const { pool, viewers } = parts;
  const personOf = async ({ headers }: FastifyRequest): Promise<ResolvedViewer & { session: NonNullable<ResolvedViewer['session']> }> => {
    const resolved = await viewers.resolve({ cookie: headers.cookie });
    if (!resolved?.session) throw new AppError({ code: 'sign_in_needed', kind: 'unauthenticated', publicMessage: 'Sign in first.' });
    return { ...resolved, session: resolved.session };
  };
  const guessing = async (kind: AttemptKind, { reply, address }: Asked): Promise<Attempt> => {
    const attempt: Attempt = { kind, address, account: null };
    await refuseBeyond(pool, reply, attempt);
    return attempt;
  };
  return {
    'invitations/look-up': {
      method: 'POST',
      run: async (asked) => {
        const attempt = await guessing('invitation', asked);
        const { organizationName, email, role, expiresAt, isKnown } = await lookUpInvitation(pool, String(asked.body['token'] ?? ''));
        await forgiveAttempt(pool, attempt);
        return { organizationName, email, role, expiresAt: expiresAt.toISOString(), isKnown };
      },
    },
    'invitations/accept': {
      method: 'POST',
      run: async (asked) => {
        const attempt = await guessing('invitation', asked);
        const { organizationId, email } = await acceptInvitation(pool, asked.body as never);
        await forgiveAttempt(pool, attempt);
        return { organizationId, email };
      },
    },
    'get-session': {
      method: 'GET',
      run: async ({ request, reply }) => {
        // Asked first, since it puts off the session's end.
        const response = await parts.signIn.handle(toLibrary(parts.publicUrl, 'get-session', { request, reply, address: request.ip, body: {} }));
        for (const cookie of response.headers.getSetCookie()) reply.header('set-cookie', cookie);
        const resolved = await viewers.resolve({ cookie: request.headers.cookie });
        if (!resolved?.session) return reply.header('content-type', 'application/json; charset=utf-8').send('null');
        const { viewer, session } = resolved;
        const { name, email, locale, twoFactorEnabled, sessionId, expiresAt } = session;
        return {
          session: { id: sessionId, token: sessionId, expiresAt: expiresAt.toISOString(), impersonating: viewer.impersonating },
          user: { id: viewer.id, name, email, locale, twoFactorEnabled },
        };
      },
    },
    'list-sessions': {
      method: 'GET',
      run: async ({ request }) => (await listSessions(pool, (await personOf(request)).viewer.id)).map((session) => ({ ...session, token: session.id })),
    },
    'revoke-session': {
      method: 'POST',
      run: async ({ request, body }) => {
        await revokeSession(pool, (await personOf(request)).viewer.id, String(body['token'] ?? body['id'] ?? ''));
        return { status: true };
      },
    },
    'update-user': {
      method: 'POST',
      run: async ({ request, body }) => {
        const { viewer } = await personOf(request);
        const { name, locale } = await changeProfile(actingAs(pool, { kind: 'person', id: viewer.id, name: null }), viewer.id, body);
        return { status: true, user: { name, locale } };
      },
    },
  };
};
