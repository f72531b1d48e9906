import { useQuery } from '@apollo/client/react';
import { Anchor, SegmentedControl, SimpleGrid, Skeleton } from '@mantine/core';
import { Rocket } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { measureChoices, splitMeasure } from '../../charts/measures.ts';
import { UsageChart } from '../../charts/usage-chart.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { EmptyState, ErrorState } from '../../components/states.tsx';
import { OverviewDocument } from '../../graphql/generated/overview.ts';
import type { OverviewQuery } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';
import { lastDays } from '../../format/range.ts';
import { BalanceTile } from './balance-tile.tsx';
import { LatestRequests } from './latest-requests.tsx';
import { useLiveBalance } from './live-balance.ts';

const DAYS = 30;

export default function OverviewPage() {
  const { t } = useTranslation();
  const { id, name, timeZone } = useOrganization();
  const range = useMemo(() => lastDays(DAYS), []);
  const series = { ...range, grain: 'DAY', groupBy: 'MODEL', timeZone, groupsMax: 8 } as const;
  const { data, error, refetch } = useQuery(OverviewDocument, { variables: { organizationId: id, series } });
  const live = useLiveBalance(id);
  const organization = data?.organization;
  if (error && !organization) return <ErrorState error={error} onRetry={() => void refetch()} />;
  const balances = live ?? organization?.balances;
  return (
    <Page title={t('overview.title')} description={t('overview.description', { name })}>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {balances ? balances.map((balance) => <BalanceTile key={balance.unit} balance={balance} />) : <Skeleton height={150} radius="lg" />}
      </SimpleGrid>
      {balances?.length === 0 && <EmptyState icon={Rocket} title={t('overview.noBalance.title')} text={t('overview.noBalance.text')} />}
      {organization ? <Spend organization={organization} range={range} /> : <Skeleton height={340} radius="lg" />}
      <Panel
        flush
        title={t('overview.latest')}
        actions={
          <Anchor component={Link} to="requests" size="sm">
            {t('overview.all')}
          </Anchor>
        }
      >
        <LatestRequests rows={organization?.requests.nodes} />
      </Panel>
    </Page>
  );
}

interface SpendProps {
  readonly organization: NonNullable<OverviewQuery['organization']>;
  readonly range: { readonly from: string; readonly until: string };
}

function Spend({ organization: { usageSeries, balances }, range }: SpendProps) {
  const { t } = useTranslation();
  const { timeZone } = useOrganization();
  const [shown, setShown] = useState('charge');
  const units = [...new Set([...usageSeries.totals.map(({ unit }) => unit), ...balances.map(({ unit }) => unit)])];
  const choices = measureChoices(t, units, false);
  const chosen = choices.some(({ value }) => value === shown) ? shown : choices[0]!.value;
  const control = <SegmentedControl size="xs" data={choices} value={chosen} onChange={setShown} aria-label={t('charts.measure')} />;
  return (
    <Panel title={t('overview.chart', { days: DAYS })} actions={control}>
      {usageSeries.points.length === 0 ? (
          <EmptyState title={t('overview.noUsage.title')} text={t('overview.noUsage.text')} />
        ) : (
          <UsageChart title={t('overview.chart', { days: DAYS })} usage={usageSeries} {...range} timeZone={timeZone} {...splitMeasure(chosen)} />
        )}
    </Panel>
  );
}
