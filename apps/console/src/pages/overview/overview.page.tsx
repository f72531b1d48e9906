import { useQuery } from '@apollo/client/react';
import { Anchor, SimpleGrid, Skeleton } from '@mantine/core';
import { Rocket } from 'lucide-react';
import { useCallback, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Page, Panel } from '../../components/page.tsx';
import { EmptyState, ErrorState } from '../../components/states.tsx';
import { lastDays } from '../../format/range.ts';
import { OverviewDocument } from '../../graphql/generated/overview.ts';
import { useOrganization } from '../../session/organization.tsx';
import { useLiveRequests, withLiveRequests } from '../requests/live-requests.ts';
import { BalanceTile } from './balance-tile.tsx';
import { LatestRequests } from './latest-requests.tsx';
import { useLiveBalance } from './live-balance.ts';
import { Spend } from './spend.tsx';
import { useFollowing } from './use-following.ts';

const DAYS = 30;
const LATEST = 6;
const all = (): boolean => true;

export default function OverviewPage() {
  const { t } = useTranslation();
  const { id, name, timeZone } = useOrganization();
  const range = useMemo(() => lastDays(DAYS), []);
  const series = { ...range, grain: 'DAY', groupBy: 'MODEL', timeZone, groupsMax: 8 } as const;
  const { data, error, refetch } = useQuery(OverviewDocument, { variables: { organizationId: id, series } });
  const live = useLiveBalance(id);
  const settled = useLiveRequests(id, all);
  const organization = data?.organization;
  const latest = withLiveRequests(settled, organization?.requests.nodes)?.slice(0, LATEST);
  const balances = live ?? organization?.balances;
  const used = balances?.map(({ unit, used: amount }) => `${unit} ${amount}`).join();
  const isFollowing = useFollowing({ settledAt: latest?.[0]?.settledAt, used }, useCallback(() => void refetch(), [refetch]));
  if (error && !organization) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return (
    <Page title={t('overview.title')} description={t('overview.description', { name })}>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {balances ? balances.map((balance) => <BalanceTile key={balance.unit} balance={balance} isFollowing={isFollowing} />) : <Skeleton height={144} radius="lg" />}
      </SimpleGrid>
      {balances?.length === 0 && <EmptyState icon={Rocket} title={t('overview.noBalance.title')} text={t('overview.noBalance.text')} />}
      {organization ? <Spend organization={organization} range={range} days={DAYS} isFollowing={isFollowing} /> : <Skeleton height={366} radius="lg" />}
      <Panel
        flush
        title={t('overview.latest')}
        actions={
          <Anchor component={Link} to="requests" size="sm">
            {t('overview.all')}
          </Anchor>
        }
      >
        <LatestRequests rows={latest} />
      </Panel>
    </Page>
  );
}
