import type { Db } from '@kilotoken/platform';
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

/**
 * From its next request on the session looks at a customer's pages, and changes nothing. The caller asked for the permission, and appends the audit
 * entry in the same transaction: there is no impersonation without its entry. Throws `session_not_found`.
 */
export const startImpersonation = async (transaction: Db, input: Impersonation): Promise<void> => {
  const { sessionId, personId, organizationId, reason } = parseInput(impersonationSchema, input);
  await change(transaction, sessionId, personId, { organizationId, reason });
};

/** As `startImpersonation`. */
export const endImpersonation = (transaction: Db, { sessionId, personId }: { sessionId: string; personId: string }): Promise<void> => change(transaction, sessionId, personId, null);

/** The role of sign-in alone writes sessions; the transaction has it for one statement. */
const change = async (transaction: Db, sessionId: string, personId: string, impersonation: { organizationId: string; reason: string } | null): Promise<void> => {
  await transaction.query('SET LOCAL ROLE kilotoken_sign_in');
  const changed = await setImpersonation(transaction, sessionId, personId, impersonation);
  await transaction.query('SET LOCAL ROLE NONE');
  if (!changed) throw notFound('session', 'The session has ended.');
};
