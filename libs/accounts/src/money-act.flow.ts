import { adjustGrant, grantAdjustmentSchema, grantRefundSchema, grantTransferSchema, issueGrant, listGrants, newGrantSchema, parseGrantInput, refundGrant, transferGrant } from '@kilotoken/ledger';
import type { Money } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import { notFound } from './accounts.errors.js';
import type { ApprovalKind, MoneyActs, MoneyResults } from './approval.js';

interface Act<Kind extends ApprovalKind> {
  /** The act's unit, and its amount without a sign. Throws where it could never be done. */
  measure(db: RawDb, input: MoneyActs[Kind]): Promise<{ readonly unit: string; readonly amount: Money }>;
  run(db: RawDb, input: MoneyActs[Kind]): Promise<MoneyResults[Kind]>;
  /** The input as JSON brought it back. */
  revive(payload: Readonly<Record<string, unknown>>): MoneyActs[Kind];
  /** Ids of what it made. */
  idsOf(result: MoneyResults[Kind]): Readonly<Record<string, string>>;
}

const absolute = (amount: Money): Money => (amount < 0n ? -amount : amount);

const findGrant = async (db: RawDb, organizationId: string, grantId: string) => {
  const grant = (await listGrants(db, organizationId)).find(({ id }) => id === grantId);
  if (!grant) throw notFound('grant', 'The organization has no such grant.');
  return grant;
};

const asIs = <Input>(payload: Readonly<Record<string, unknown>>): Input => payload as Input;
const momentOf = (value: unknown): Date | null => (typeof value === 'string' ? new Date(value) : null);

/** Each kind of act: how much it is, how it is done. */
export const moneyActs: { readonly [Kind in ApprovalKind]: Act<Kind> } = {
  'grant.issue': {
    measure: async (_, input) => {
      const { unit, amount } = parseGrantInput(newGrantSchema, input);
      return { unit, amount };
    },
    run: issueGrant,
    revive: (payload) => ({ ...asIs<MoneyActs['grant.issue']>(payload), effectiveAt: momentOf(payload['effectiveAt']), expiresAt: momentOf(payload['expiresAt']) }),
    idsOf: ({ id }) => ({ grantId: id }),
  },
  'grant.adjust': {
    measure: async (db, input) => {
      const { organizationId, grantId, amount } = parseGrantInput(grantAdjustmentSchema, input);
      return { unit: (await findGrant(db, organizationId, grantId)).unit, amount: absolute(amount) };
    },
    run: adjustGrant,
    revive: asIs,
    idsOf: ({ id }) => ({ grantId: id }),
  },
  'grant.refund': {
    measure: async (db, input) => {
      const { organizationId, grantId, amount } = parseGrantInput(grantRefundSchema, input);
      const grant = await findGrant(db, organizationId, grantId);
      // Without an amount it is all that remains, running requests included.
      return { unit: grant.unit, amount: amount ?? grant.available + grant.held };
    },
    run: refundGrant,
    revive: asIs,
    idsOf: ({ id, grantId }) => ({ refundId: id, grantId }),
  },
  'grant.transfer': {
    measure: async (db, input) => {
      const { organizationId, grantId, amount } = parseGrantInput(grantTransferSchema, input);
      return { unit: (await findGrant(db, organizationId, grantId)).unit, amount };
    },
    run: transferGrant,
    revive: asIs,
    idsOf: ({ id, grantId, toGrantId }) => ({ transferId: id, grantId, toGrantId }),
  },
};
