import { setTransferRule } from '@kilotoken/accounts';
import { listGrants, transferGrant, type GrantBalance } from '@kilotoken/ledger';
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import { changeAs } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import type { Account } from './accounts.js';

/**
 * A parent pays for its subsidiary: by a package that it buys and hands on, then by a rule that the backoffice runs. Days of the subsidiary's
 * spend: below three the rule transfers ten, and sixty in a month at most.
 */
const ruleDays = { threshold: 3n, amount: 10n, capPerMonth: 60n };

/** Hands all of a parent's grant on. */
export const endow = async (prisma: ControlClient, parent: Account, child: Account, { id, available }: GrantBalance): Promise<void> => {
  const { organizationId } = parent;
  const transfer = { organizationId, grantId: id, toOrganizationId: child.organizationId, amount: formatMoney(available), reference: `start-${child.customer.slug}`, reason: 'A budget to start with' };
  await changeAs(prisma, organizationId, (db) => transferGrant(db, transfer));
};

export const keepInFunds = async (prisma: ControlClient, parent: Account, child: Account, perDay: Money): Promise<void> => {
  const forDays = (days: bigint): string => formatMoney(wholeDollars(perDay * days));
  await changeAs(prisma, parent.organizationId, (db) =>
    setTransferRule(db, {
      organizationId: parent.organizationId, childId: child.organizationId, unit: 'USD',
      threshold: forDays(ruleDays.threshold), amount: forDays(ruleDays.amount), capPerMonth: forDays(ruleDays.capPerMonth),
    }),
  );
};

/** USD that a subsidiary has received of its parent. */
export const receivedBy = (prisma: ControlClient, { organizationId }: Account): Promise<Money> =>
  changeAs(prisma, organizationId, async (db) => (await listGrants(db, organizationId)).reduce((sum, { source, granted }) => (source === 'transfer' ? sum + granted : sum), 0n));

/** The next whole dollar, or cent, above an amount. */
export const wholeDollars = (amount: Money): Money => (amount / parseMoney('1') + 1n) * parseMoney('1');
export const wholeCents = (amount: Money): Money => (amount / parseMoney('0.01') + 1n) * parseMoney('0.01');
