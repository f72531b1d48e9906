import { actingAs, changeThrough, type ControlPool, type Db } from '@kilotoken/platform';
import { z } from 'zod';
import { notFound, parseInput } from './people.errors.js';
import type { SignInSession } from './people.js';
import { deleteSessions, listSessionRows, setImpersonation } from './session.store.js';

/** A person's own sessions. They take the pool of sign-in: nobody else reads sessions. */
export const listSessions = (signIn: Db, personId: string): Promise<SignInSession[]> => listSessionRows(signIn, personId);

/** Refused from its next request on. Throws `session_not_found`. */
export const revokeSession = async (signIn: Db, personId: string, id: string): Promise<void> => {
  if ((await deleteSessions(signIn, personId, { id: parseInput(z.object({ id: z.uuid() }), { id }).id })) === 0) throw notFound('session', 'You have no such session.');
};

/** Signs out everywhere, but for one session where it is named. Answers how many ended. */
export const revokeSessions = (signIn: Db, personId: string, butId?: string): Promise<number> => deleteSessions(signIn, personId, butId === undefined ? 'all' : { butId });

const impersonationSchema = z.strictObject({
  sessionId: z.uuid(),
  personId: z.uuid(),
  organizationId: z.uuid(),
  reason: z.string().trim().min(1, 'a reason is needed').max(500),
});
export type Impersonation = z.input<typeof impersonationSchema>;

/** From its next request on the session looks at a customer's pages, and changes nothing. The caller asked for the permission. Throws `session_not_found`. */
export const startImpersonation = async (signIn: ControlPool, input: Impersonation): Promise<void> => {
  const { sessionId, personId, organizationId, reason } = parseInput(impersonationSchema, input);
  await change(signIn, sessionId, personId, { organizationId, reason });
};

export const endImpersonation = (signIn: ControlPool, { sessionId, personId }: { sessionId: string; personId: string }): Promise<void> => change(signIn, sessionId, personId, null);

const change = async (signIn: ControlPool, sessionId: string, personId: string, impersonation: { organizationId: string; reason: string } | null): Promise<void> => {
  const changed = await changeThrough(actingAs(signIn, { kind: 'person', id: personId, name: null }), null, (db) => setImpersonation(db, sessionId, personId, impersonation));
  if (!changed) throw notFound('session', 'The session has ended.');
};
