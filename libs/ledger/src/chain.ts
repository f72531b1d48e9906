/**
 * The chain of an organization's ledger: each transaction has a position, the hash of the one before it and a hash of its own
 * over its contents, its postings and that hash. Whoever changes or removes one has to make every later one anew, and the head.
 *
 *   position 1   before 00…00   hash h1 = SHA-256(contents 1, 00…00)
 *   position 2   before h1      hash h2 = SHA-256(contents 2, h1)
 *   head         position 2     hash h2
 */
export type ChainProblem =
  /** There is no transaction at this position: it was deleted. */
  | 'missing'
  /** It, or one of its postings, is not what was hashed. */
  | 'changed'
  /** It follows another transaction than the one before it: that one was replaced whole. */
  | 'relinked'
  /** The chain does not end where its head says: the head, or the end of the chain, was replaced. */
  | 'head';

export interface ChainBreak {
  readonly organizationId: string;
  readonly position: bigint;
  /** Null where there is none. */
  readonly transactionId: string | null;
  readonly kind: string | null;
  readonly problem: ChainProblem;
}

export interface ChainProof {
  readonly organizations: number;
  readonly links: bigint;
  /** The first broken link of each organization; none when nothing was changed. */
  readonly breaks: readonly ChainBreak[];
}

const problems: Readonly<Record<ChainProblem, string>> = {
  missing: 'was deleted',
  changed: 'was changed, or one of its postings was changed, added or deleted',
  relinked: 'does not follow the one before it, which was replaced',
  head: 'is not where its chain ends: the end or the head of the chain was replaced',
};

export const describeBreak = ({ organizationId, position, transactionId, kind, problem }: ChainBreak): string =>
  `${transactionId === null ? 'a transaction' : `${kind} ${transactionId}`} of organization ${organizationId}, position ${position}, ${problems[problem]}`;
