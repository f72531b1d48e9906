import { useSubscription } from '@apollo/client/react';
import { BalanceChangedDocument } from '../../graphql/generated/overview.ts';
import type { BalanceFieldsFragment } from '../../graphql/generated/types.ts';

/** Balances as they change; null until the first change, and for good where the socket cannot be opened. */
export const useLiveBalance = (organizationId: string): readonly BalanceFieldsFragment[] | null => {
  const { data } = useSubscription(BalanceChangedDocument, { variables: { organizationId } });
  return data?.balanceChanged ?? null;
};
