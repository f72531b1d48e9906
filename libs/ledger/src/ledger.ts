import { formatMoney, type Money } from '@kilotoken/money';

/**
 * The ledger's model. Double entry: debits are positive, credits negative, and a transaction's postings sum to zero in each
 * unit. The transactions are posted by the database's functions (`ledger_post`, `rating_post`); this side reads them.
 *
 *   a package of 10 USD is paid      cash_clearing      +10        grant_liability  −10
 *   use rated 0.00036, cost 0.00024  grant_liability    +0.00036   usage_revenue    −0.00036
 *                                    vendor_cost        +0.00024   vendor_payable   −0.00024
 *   the grant expires                grant_liability    +9.99964   breakage_revenue −9.99964
 *
 * Afterwards grant_liability is 0: what was owed to the customer was used or has expired. docs/ledger.md has an example of every flow.
 */
export const accounts = {
  cash_clearing: { type: 'asset', meaning: 'what customers paid or owe for grants, until payments are matched with it' },
  grant_liability: { type: 'liability', meaning: 'what customers may still use of their grants' },
  promotion_expense: { type: 'expense', meaning: 'what we gave away' },
  manual_adjustment: { type: 'expense', meaning: 'what was added to grants by hand, less what was taken' },
  receivable: { type: 'asset', meaning: 'use that was rated higher later, and that no grant could pay' },
  usage_revenue: { type: 'revenue', meaning: 'what use was rated at' },
  uncollected: { type: 'expense', meaning: 'what use was rated at beyond its hold: our loss' },
  breakage_revenue: { type: 'revenue', meaning: 'grants that expired unused' },
  vendor_cost: { type: 'expense', meaning: 'what lanes cost us' },
  vendor_payable: { type: 'liability', meaning: 'what we owe for lanes' },
  rounding: { type: 'expense', meaning: 'what rounding an invoice to its currency leaves' },
} as const satisfies Record<string, { type: 'asset' | 'liability' | 'revenue' | 'expense'; meaning: string }>;

export type Account = keyof typeof accounts;

export interface AccountBalance {
  /** One of `accounts`, or what a newer version posted to. */
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
  /** What is missing or too much. */
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
