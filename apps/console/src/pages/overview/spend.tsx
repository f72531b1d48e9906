import { Button, Group, SegmentedControl } from '@mantine/core';
import { Hourglass, Rocket } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { measureChoices, splitMeasure } from '../../charts/measures.ts';
import { UsageChart } from '../../charts/usage-chart.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import type { OverviewQuery } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';

interface SpendProps {
  readonly organization: NonNullable<OverviewQuery['organization']>;
  readonly range: { readonly from: string; readonly until: string };
  readonly days: number;
  /** Requests have settled that the figures do not hold yet. */
  readonly isFollowing: boolean;
}

export function Spend({ organization: { usageSeries, balances }, range, days, isFollowing }: SpendProps) {
  const { t } = useTranslation();
  const { timeZone } = useOrganization();
  const [shown, setShown] = useState('charge');
  const title = t('overview.chart', { days });
  if (usageSeries.points.length === 0) return <Panel title={title}>{isFollowing ? <Counting /> : <FirstSteps />}</Panel>;
  const units = [...new Set([...usageSeries.totals.map(({ unit }) => unit), ...balances.map(({ unit }) => unit)])];
  const choices = measureChoices(t, units, false);
  const chosen = choices.some(({ value }) => value === shown) ? shown : choices[0]!.value;
  return (
    <Panel title={title} actions={<SegmentedControl size="xs" data={choices} value={chosen} onChange={setShown} aria-label={t('charts.measure')} />}>
      <UsageChart title={title} usage={usageSeries} {...range} timeZone={timeZone} {...splitMeasure(chosen)} />
    </Panel>
  );
}

function Counting() {
  const { t } = useTranslation();
  return <EmptyState icon={Hourglass} title={t('overview.counting.title')} text={t('overview.counting.text')} />;
}

function FirstSteps() {
  const { t } = useTranslation();
  const mayWriteKeys = useMay('keys.write');
  const mayChat = useMay('playground.use');
  return (
    <EmptyState
      icon={Rocket}
      title={t('overview.noUsage.title')}
      text={t('overview.noUsage.text')}
      action={
        <Group gap="xs" justify="center">
          {mayWriteKeys && (
            <Button component={Link} to="api-keys">
              {t('keys.create')}
            </Button>
          )}
          {mayChat && (
            <Button component={Link} to="playground" variant="default">
              {t('overview.chat')}
            </Button>
          )}
        </Group>
      }
    />
  );
}
