import { AppError, mintId, prismaSqlStateOf, readDatabaseNow } from '@kilotoken/platform';
import type { PrismaClient, PrismaDb } from '@kilotoken/platform/prisma';
import { newGrantSchema, type GrantBalance, type NewGrant } from './grant.js';
import { callGrantIssue, readGrantBalances, type NewGrantRow } from './grant.store.js';

/** SQLSTATEs of `grant_issue`. */
const referenceUsed = 'KT011';
const organizationMissing = '23503';

/**
 * Issues a grant once per organization, source and reference, and posts it to the ledger in the same transaction. Issuing
 * the same again answers the first one. Throws `grant_invalid`, `organization_not_found`, or `grant_reference_used` when
 * the reference stands for a grant with other terms.
 */
export const issueGrant = async (prisma: PrismaClient, input: NewGrant): Promise<GrantBalance> => {
  const parsed = newGrantSchema.safeParse(input);
  if (!parsed.success) throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '), parsed.error);
  const grant = parsed.data;
  try {
    return await prisma.$transaction((db) => issue(db, grant));
  } catch (error) {
    const sqlState = prismaSqlStateOf(error);
    if (sqlState === referenceUsed) throw otherTerms(grant.reference, error);
    if (sqlState === organizationMissing) {
      throw new AppError({ code: 'organization_not_found', kind: 'not_found', publicMessage: 'There is no such organization.', cause: error });
    }
    throw error;
  }
};

const issue = async (db: PrismaDb, { scopeModels = null, effectiveAt = null, expiresAt = null, ...grant }: ParsedGrant): Promise<GrantBalance> => {
  const now = await readDatabaseNow(db);
  const row: NewGrantRow = { ...grant, id: mintId(now.getTime()), scopeModels, effectiveAt, expiresAt };
  if (expiresAt && expiresAt <= now) throw invalid('expiresAt: a moment in the future is needed');
  if (expiresAt && effectiveAt && expiresAt <= effectiveAt) throw invalid('expiresAt: it must be later than effectiveAt');
  const id = await callGrantIssue(db, row);
  const issued = (await readGrantBalances(db, grant.organizationId)).find((balance) => balance.id === id);
  if (!issued) throw new AppError({ code: 'grant_lost', kind: 'bug', publicMessage: 'The grant was issued and cannot be found.', details: { id } });
  if (id !== row.id && termsOf(issued) !== termsOf({ ...row, effectiveAt: effectiveAt ?? issued.effectiveAt })) throw otherTerms(grant.reference);
  return issued;
};

type ParsedGrant = ReturnType<typeof newGrantSchema.parse>;
type Terms = Pick<GrantBalance, 'priority' | 'scopeModels' | 'effectiveAt' | 'expiresAt'>;

/** What `grant_issue` does not compare by itself; a beginning that was left out is whatever the first issue made it. */
const termsOf = ({ priority, scopeModels, effectiveAt, expiresAt }: { [Term in keyof Terms]: Terms[Term] }): string =>
  JSON.stringify([priority, scopeModels && [...scopeModels].sort(), effectiveAt, expiresAt]);

const invalid = (publicMessage: string, cause?: unknown): AppError => new AppError({ code: 'grant_invalid', kind: 'invalid', publicMessage, cause });

const otherTerms = (reference: string, cause?: unknown): AppError =>
  new AppError({
    code: 'grant_reference_used',
    kind: 'conflict',
    publicMessage: `The reference "${reference}" stands for a grant with other terms. Use another reference for another grant.`,
    cause,
  });
