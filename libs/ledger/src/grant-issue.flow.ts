import { AppError, mintId, readDatabaseNow, type RawDb } from '@kilotoken/platform';
import { newGrantSchema, type GrantBalance, type NewGrant } from './grant.js';
import { callGrantIssue, listGrants, type NewGrantRow } from './grant.store.js';
import { explained, invalid, parseInput, type Refusal } from './refusals.js';

/**
 * Issues a grant once per organization, source and reference, and posts it, in the caller's transaction. Issuing the same again answers the
 * first one. Throws `grant_invalid`, `organization_not_found`, `account_not_allowed`, or `grant_reference_used` when the reference stands for
 * a grant with other terms.
 */
export const issueGrant = async (db: RawDb, input: NewGrant): Promise<GrantBalance> => {
  const { scopeModels = null, effectiveAt = null, expiresAt = null, counterAccount = null, ...grant } = parseInput(newGrantSchema, input);
  const now = await readDatabaseNow(db);
  const row: NewGrantRow = { ...grant, id: mintId(now.getTime()), scopeModels, effectiveAt, expiresAt, counterAccount };
  if (expiresAt && expiresAt <= now) throw invalid('expiresAt: must be in the future');
  if (expiresAt && effectiveAt && expiresAt <= effectiveAt) throw invalid('expiresAt: must be later than effectiveAt');
  const id = await explained(() => callGrantIssue(db, row), { KT011: otherTerms(grant.reference) });
  const issued = (await listGrants(db, grant.organizationId)).find((balance) => balance.id === id);
  if (!issued) throw new AppError({ code: 'grant_lost', kind: 'bug', publicMessage: 'The grant was issued and cannot be found.', details: { id } });
  if (id !== row.id && termsOf(issued) !== termsOf({ ...row, effectiveAt: effectiveAt ?? issued.effectiveAt })) throw new AppError(otherTerms(grant.reference));
  return issued;
};

type Terms = Pick<GrantBalance, 'priority' | 'scopeModels' | 'effectiveAt' | 'expiresAt'>;

/** The terms that `grant_issue_against` does not compare; a beginning that was left out is the one that the first issue gave. */
const termsOf = ({ priority, scopeModels, effectiveAt, expiresAt }: { [Term in keyof Terms]: Terms[Term] }): string =>
  JSON.stringify([priority, scopeModels && [...scopeModels].sort(), effectiveAt, expiresAt]);

const otherTerms = (reference: string): Refusal => ({
  code: 'grant_reference_used',
  kind: 'conflict',
  publicMessage: `The reference "${reference}" belongs to a grant with other terms. Use a new reference for a new grant.`,
});
