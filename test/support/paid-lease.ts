import type { MoneyDatabase, Usage } from './money-database.js';

/** A session with one lease of 100 of a new tenant's grant of 1,000, and rows of usage that are paid from it. */
export interface PaidLease {
  readonly session: string;
  readonly grant: string;
  readonly lease: string;
  readonly paid: (charge: number, more?: Partial<Usage>) => Usage & { id: string };
}

export const newPaidLease = async (money: MoneyDatabase): Promise<PaidLease> => {
  const session = await money.newSession();
  const grant = (await money.newTenant('1000')).grantIds[0]!;
  const lease = (await money.take(session, { need: '100' })).leases[0]!.leaseId;
  return { session, grant, lease, paid: (charge, more = {}) => ({ id: money.mintId(), charge, allocations: [{ lease, grant, amount: String(charge) }], ...more }) };
};
