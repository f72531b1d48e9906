import { allows, type Viewer } from '@kilotoken/access';
import type { Money } from '@kilotoken/money';
import { mintId, prismaSqlStateOf, readDatabaseNow, sqlStateOf, type RawDb } from '@kilotoken/platform';
import { conflict, forbidden, notFound, parseInput } from './accounts.errors.js';
import {
  approvalDays, approvalHours, approvalSearchSchema, cancellationSchema, decisionSchema, isAbove, type ActorRef, type Approval, type ApprovalDecision, type ApprovalKind, type ApprovalSearch, type MoneyActs,
  type MoneyResults, type Outcome,
} from './approval.js';
import { findActor, findThreshold, insertApproval, listApprovalRows, lockActsOf, lockApproval, sumActsOf, writeDecision } from './approval.store.js';
import { moneyActs } from './money-act.flow.js';

/**
 * Does an act on a grant in the caller's transaction, or asks for its approval where its amount, with what the actor did alone in the
 * last 24 hours of the same kind, unit and organization, is above the threshold.
 * The transaction's actor decides: `kt` and the system need no approval, a person and a token do. What is asked for is tried first, so that what the
 * ledger would refuse is refused now. The same act under the same reference answers the same approval.
 *
 * Throws what the ledger throws, and `approval_reference_used` where the reference stands for another act, or for one that was not approved.
 */
export const requestOrDo = async <Kind extends ApprovalKind>(db: RawDb, kind: Kind, input: MoneyActs[Kind]): Promise<Outcome<MoneyResults[Kind]>> => {
  const act = moneyActs[kind];
  const actor = await getActor(db);
  if (actor.kind === 'kt' || actor.kind === 'system') return { state: 'done', result: await act.run(db, input) };
  const { unit, amount } = await act.measure(db, input);
  const asked = await findAsked(db, kind, input);
  if (asked) return { state: 'awaits', approval: asked };
  const threshold = await findThreshold(db, kind, unit);
  if (threshold !== null && !isAbove(amount, await sumRecentActs(db, kind, actor, input, unit), threshold)) return { state: 'done', result: await act.run(db, input) };
  await tryOut(db, () => act.run(db, input));
  const id = mintId((await readDatabaseNow(db)).getTime());
  const { organizationId, reference } = input;
  await insertApproval(db, { organizationId, id, kind, reference, payload: input, unit, amount, requestedBy: actor, days: approvalDays });
  // Another may have asked for it at the same moment: then that one's stands.
  const approval = await findAsked(db, kind, input);
  return { state: 'awaits', approval: approval! };
};

/** Acts of one actor take turns, so that two at once are added up like two in turn. The act itself, done before under its reference, does not count. */
const sumRecentActs = async (db: RawDb, kind: ApprovalKind, actor: ActorRef, { organizationId, reference }: MoneyActs[ApprovalKind], unit: string): Promise<Money> => {
  await lockActsOf(db, organizationId, kind, unit, actor);
  return sumActsOf(db, organizationId, kind, unit, actor, { butReference: reference, hours: approvalHours });
};

/** The approval under the act's reference. */
const findAsked = async <Kind extends ApprovalKind>(db: RawDb, kind: Kind, input: MoneyActs[Kind]): Promise<Approval | null> => {
  const { organizationId, reference } = input;
  const [approval] = await listApprovalRows(db, { organizationId, id: null, kind, reference, status: null, after: null }, 1);
  if (!approval) return null;
  const isSame = canonical(moneyActs[kind].revive(approval.payload)) === canonical(moneyActs[kind].revive(JSON.parse(JSON.stringify(input)) as Record<string, unknown>));
  if (!isSame || (approval.status !== 'pending' && approval.status !== 'approved')) {
    throw conflict('approval_reference_used', isSame ? `What was asked for under "${reference}" is ${approval.status}. Ask again under another reference.` : `The reference "${reference}" stands for something else.`);
  }
  return approval;
};

const canonical = (input: object): string => JSON.stringify(Object.entries(input).filter(([, value]) => value != null).sort(([one], [other]) => (one < other ? -1 : 1)));

/** Does something and takes it back: its errors are what is wanted of it. */
const tryOut = async (db: RawDb, work: () => Promise<unknown>): Promise<void> => {
  await db.$queryRaw`SAVEPOINT trial`;
  await work();
  await db.$queryRaw`ROLLBACK TO SAVEPOINT trial`;
};

/**
 * Decides on an approval in the caller's transaction, and does the approved act in it, exactly once. The decider is a person with the permission
 * `staff.approve`, other than the one who asked or made the token that asked.
 *
 * Throws `approval_not_found`, `approval_needs_person`, `approval_forbidden`, `approval_by_requester`, `approval_decided`, `approval_expired`, and what the
 * ledger throws where the act cannot be done any more.
 */
export const decideApproval = async (db: RawDb, viewer: Viewer, decision: ApprovalDecision): Promise<Approval> => {
  const { organizationId, id, approve, reason = null } = parseInput(decisionSchema, decision);
  if (!allows(viewer, 'staff.approve', null)) throw forbidden('approval_forbidden', 'An admin or a person of finance decides on approvals.');
  if (viewer.kind !== 'person') throw forbidden('approval_needs_person', 'A person decides on approvals, and no token.');
  const by = await getActor(db);
  if (by.kind !== 'person' || by.id !== viewer.id) throw forbidden('approval_needs_person', 'A person decides on approvals in their own name.');
  const approval = await lockPending(db, organizationId, id);
  if (approval.status === 'expired') throw conflict('approval_expired', `The approval expired at ${approval.expiresAt.toISOString()}. What it asked for is asked for again.`);
  if (approve && approval.requestedBy.kind === by.kind && approval.requestedBy.id === by.id) throw forbidden('approval_by_requester', 'Another person than the one who asked approves.');
  const result = approve ? await perform(db, approval) : null;
  try {
    await writeDecision(db, { organizationId, id, decision: approve ? 'approved' : 'rejected', by, reason, result });
  } catch (error) {
    throw (sqlStateOf(error) ?? prismaSqlStateOf(error)) === 'KT065' ? forbidden('approval_by_requester', 'Another person than the one who made the token that asked approves.') : error;
  }
  return getApproval(db, organizationId, id);
};

const perform = <Kind extends ApprovalKind>(db: RawDb, { kind, payload }: Approval & { readonly kind: Kind }): Promise<Readonly<Record<string, string>>> => {
  const act = moneyActs[kind];
  return act.run(db, act.revive(payload)).then((result) => act.idsOf(result));
};

/** Takes back what was asked for: by the one who asked, or by `kt`. Throws `approval_not_found`, `approval_forbidden` or `approval_decided`. */
export const cancelApproval = async (db: RawDb, cancellation: { readonly organizationId: string; readonly id: string; readonly reason?: string | null }): Promise<Approval> => {
  const { organizationId, id, reason = null } = parseInput(cancellationSchema, cancellation);
  const by = await getActor(db);
  const { requestedBy } = await lockPending(db, organizationId, id);
  if (by.kind !== 'kt' && (by.kind !== requestedBy.kind || by.id !== requestedBy.id)) throw forbidden('approval_forbidden', 'The one who asked takes it back.');
  await writeDecision(db, { organizationId, id, decision: 'cancelled', by, reason, result: null });
  return getApproval(db, organizationId, id);
};

const lockPending = async (db: RawDb, organizationId: string, id: string): Promise<Approval> => {
  if (!(await lockApproval(db, organizationId, id))) throw notFound('approval', 'There is no such approval.');
  const approval = await getApproval(db, organizationId, id);
  if (approval.decidedAt !== null) throw conflict('approval_decided', `It is ${approval.status} since ${approval.decidedAt.toISOString()}.`);
  return approval;
};

/** Throws `approval_not_found`. */
export const getApproval = async (db: RawDb, organizationId: string, id: string): Promise<Approval> => {
  const [approval] = await listApprovalRows(db, { organizationId, id, kind: null, reference: null, status: null, after: null }, 1);
  if (!approval) throw notFound('approval', 'There is no such approval.');
  return approval;
};

/** Newest first; the next page begins behind the id of this one's last. Throws `accounts_invalid`. */
export const listApprovals = async (db: RawDb, search: ApprovalSearch = {}): Promise<Approval[]> => {
  const { organizationId = null, status = null, after = null, limit } = parseInput(approvalSearchSchema, search);
  return listApprovalRows(db, { organizationId, id: null, kind: null, reference: null, status, after }, limit);
};

/** Whether the viewer may decide on it now; why not, `decideApproval` says. */
export const mayDecide = (viewer: Viewer, { status, requestedBy }: Approval): boolean =>
  status === 'pending' && viewer.kind === 'person' && allows(viewer, 'staff.approve', null) && !(requestedBy.kind === 'person' && requestedBy.id === viewer.id);

const getActor = async (db: RawDb): Promise<ActorRef> => {
  const actor = await findActor(db);
  if (!actor) throw new Error('a transaction that acts on grants names its actor');
  return actor;
};
