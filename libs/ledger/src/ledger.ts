import { formatMoney, type Money } from '@kilotoken/money';

/**
 * The ledger's model. Double entry: debits are positive, credits negative, and a transaction's postings sum to zero in each
 * unit. One function of the database posts (`ledger_post_many`), to accounts that the chart allows for the kind of transaction.
 *
 *   a package of 10 USD is paid      cash_clearing      +10        grant_liability  −10
 *   use rated 0.00036, cost 0.00024  grant_liability    +0.00036   usage_revenue    −0.00036
 *                                    vendor_cost        +0.00024   vendor_payable   −0.00024
 *   the grant expires                grant_liability    +9.99964   breakage_revenue −9.99964
 *
 * Afterwards grant_liability is 0: the customer has used the grant, or it has expired. docs/ledger.md has an example of every flow.
 */
export interface Account {
  readonly name: string;
  readonly kind: 'asset' | 'liability' | 'income' | 'expense' | 'equity' | 'clearing';
  readonly normalSide: 'debit' | 'credit';
  readonly meaning: string;
}

export interface Posting {
  readonly account: string;
  readonly unit: string;
  /** A debit is positive. */
  readonly amount: Money;
}

export interface NewTransaction {
  readonly organizationId: string;
  readonly kind: string;
  /** Its cause, such as an invoice's id: one transaction per organization, kind and source. */
  readonly source: string;
  readonly postings: readonly Posting[];
}

export interface AccountBalance {
  readonly account: string;
  readonly unit: string;
  /** Debits less credits. */
  readonly balance: Money;
}

/** A transaction that breaks I1. */
export interface Imbalance {
  readonly organizationId: string;
  readonly transactionId: string;
  readonly kind: string;
  readonly unit: string;
  /** The sum of its postings, which is to be zero. */
  readonly sum: Money;
}

export interface LedgerProof {
  readonly transactions: bigint;
  readonly postings: bigint;
  /** The first ones; none when the ledger is sound. */
  readonly imbalances: readonly Imbalance[];
}

export const describeImbalance = ({ organizationId, transactionId, kind, unit, sum }: Imbalance): string =>
  `${kind} ${transactionId} of organization ${organizationId} is off by ${formatMoney(sum)} ${unit}`;
