import type { Money } from '@kilotoken/money';
import type { GrantBalance, GrantRefund, GrantRefundRequest, GrantTransfer, NewGrant, NewGrantAdjustment, NewGrantTransfer } from '@kilotoken/ledger';
import { z } from 'zod';

/**
 * Acts on grants, and the second person who approves those above a threshold.
 *
 *   threshold of grant.issue in USD: 1000
 *   a person issues 400 USD       done at once
 *   the same person 5000 USD      waits; another person of finance approves, and it is done in that transaction
 *   a token issues 5000 USD       waits likewise
 *   the same person 700 USD more  waits: with the 400 of the same day it is 1100; a second person saw the 5000
 *   kt issues 5000 USD            done at once, and audited as the operator's
 */
export const approvalKinds = ['grant.issue', 'grant.adjust', 'grant.refund', 'grant.transfer'] as const;
export type ApprovalKind = (typeof approvalKinds)[number];

/** The input of each act, as the ledger takes it. Each names itself by its `reference`. */
export interface MoneyActs {
  readonly 'grant.issue': NewGrant;
  readonly 'grant.adjust': NewGrantAdjustment;
  readonly 'grant.refund': GrantRefundRequest;
  readonly 'grant.transfer': NewGrantTransfer;
}

/** The ledger's answer to each act. */
export interface MoneyResults {
  readonly 'grant.issue': GrantBalance;
  readonly 'grant.adjust': GrantBalance;
  readonly 'grant.refund': GrantRefund;
  readonly 'grant.transfer': GrantTransfer;
}

export type Outcome<Result> = { readonly state: 'done'; readonly result: Result } | { readonly state: 'awaits'; readonly approval: Approval };

export type ApprovalStatus = 'pending' | 'approved' | 'rejected' | 'cancelled' | 'expired';

export interface ActorRef {
  readonly kind: string;
  readonly id: string;
}

export interface Approval {
  readonly organizationId: string;
  readonly id: string;
  readonly kind: ApprovalKind;
  readonly status: ApprovalStatus;
  readonly reference: string;
  /** The act's input; moments are ISO texts. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly unit: string;
  /** Never negative, in which direction ever the act goes. */
  readonly amount: Money;
  readonly requestedBy: ActorRef;
  readonly requestedAt: Date;
  readonly expiresAt: Date;
  readonly decidedBy: ActorRef | null;
  readonly decidedAt: Date | null;
  readonly reason: string | null;
  /** Ids of what the approved act made. */
  readonly result: Readonly<Record<string, string>> | null;
}

export const approvalDays = 14;

export const approvalSearchSchema = z.strictObject({
  /** Null: all that the login may see. */
  organizationId: z.uuid().nullish(),
  status: z.enum(['pending', 'approved', 'rejected', 'cancelled', 'expired']).nullish(),
  /** The id of the last one of the page before. */
  after: z.uuid().nullish(),
  limit: z.int().min(1).max(1_000).default(100),
});
export type ApprovalSearch = z.input<typeof approvalSearchSchema>;

export const decisionSchema = z
  .strictObject({ organizationId: z.uuid(), id: z.uuid(), approve: z.boolean(), reason: z.string().trim().min(1).max(500).nullish() })
  .refine(({ approve, reason }) => approve || reason != null, { path: ['reason'], error: 'a rejection needs a reason' });
export type ApprovalDecision = z.input<typeof decisionSchema>;

export const cancellationSchema = z.strictObject({ organizationId: z.uuid(), id: z.uuid(), reason: z.string().trim().min(1).max(500).nullish() });

export interface ApprovalThreshold {
  readonly kind: ApprovalKind;
  /** `*`: every unit without a threshold of its own. */
  readonly unit: string;
  readonly amount: Money;
}

/** An actor's acts of so many hours are added up, so that many small ones are no way around the threshold. */
export const approvalHours = 24;

/** Whether an amount needs a second person. `earlier`: the actor's other acts of that kind, unit and organization that no second person saw. */
export const isAbove = (amount: Money, earlier: Money, threshold: Money): boolean => amount + earlier > threshold;
