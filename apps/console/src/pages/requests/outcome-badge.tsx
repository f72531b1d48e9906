import { Badge } from '@mantine/core';
import { useTranslation } from 'react-i18next';

export const outcomes = ['completed', 'client_closed', 'upstream_failed', 'interrupted'] as const;
type Known = (typeof outcomes)[number];

const colors: Readonly<Record<Known, string>> = { completed: 'teal', client_closed: 'gray', upstream_failed: 'red', interrupted: 'orange' };
const isKnown = (outcome: string): outcome is Known => (outcomes as readonly string[]).includes(outcome);

interface OutcomeBadgeProps {
  readonly outcome: string;
  readonly status: number;
}

export function OutcomeBadge({ outcome, status }: OutcomeBadgeProps) {
  const { t } = useTranslation();
  if (isKnown(outcome)) return <Badge color={colors[outcome]}>{t(`outcomes.${outcome}`)}</Badge>;
  return <Badge color={status >= 400 ? 'red' : 'gray'}>{outcome}</Badge>;
}
