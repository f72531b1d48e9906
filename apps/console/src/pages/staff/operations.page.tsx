import { Badge, Group, Paper, SimpleGrid, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Amount, Count } from '../../components/amount.tsx';
import { None } from '../../components/none.tsx';
import { Page } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { When } from '../../components/when.tsx';
import { OperationsOverviewDocument } from '../../graphql/generated/staff.ts';
import type { OperationsOverviewQuery } from '../../graphql/generated/types.ts';
import classes from './operations.module.css';

const POLL_MS = 5_000;

export default function OperationsPage() {
  const { t } = useTranslation();
  return (
    <Page title={t('operations.title')} description={t('operations.description')}>
      <Query document={OperationsOverviewDocument} variables={{}} pollMs={POLL_MS}>
        {({ operationsOverview }) => <Tiles overview={operationsOverview} />}
      </Query>
    </Page>
  );
}

function Tiles({ overview }: { readonly overview: OperationsOverviewQuery['operationsOverview'] }) {
  const { t } = useTranslation();
  const { organizations, gatewaysAlive, openRequests, pendingApprovals, quarantined, deadLetters, unratedSeconds, lastReconcile, revenueToday } = overview;
  const tiles = [
    { name: t('operations.organizations'), value: organizations, to: 'organizations', isBad: false },
    { name: t('operations.gateways'), value: gatewaysAlive, to: 'gateways', isBad: gatewaysAlive === 0 },
    { name: t('operations.open'), value: openRequests, to: 'gateways', isBad: false },
    { name: t('operations.approvals'), value: pendingApprovals, to: 'approvals', isBad: pendingApprovals > 0 },
    { name: t('operations.quarantined'), value: quarantined, to: 'quarantine', isBad: quarantined > 0 },
    { name: t('operations.deadLetters'), value: deadLetters, to: 'queues', isBad: deadLetters > 0 },
  ];
  return (
    <Stack gap="md">
      <SimpleGrid cols={{ base: 2, md: 3 }}>
        {tiles.map(({ name, value, to, isBad }) => (
          <Paper key={name} component={Link} to={`/staff/${to}`} p="md" className={classes['tile']}>
            <Text size="sm" className="quiet">
              {name}
            </Text>
            <Text fz={26} fw={600} c={isBad ? 'var(--mantine-color-orange-text)' : undefined}>
              <Count value={value} />
            </Text>
          </Paper>
        ))}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, md: 3 }}>
        <Paper p="md">
          <Text size="sm" className="quiet">
            {t('operations.revenue')}
          </Text>
          {revenueToday.length === 0 ? <None /> : revenueToday.map(({ unit, amount }) => <Amount key={unit} value={amount} unit={unit} fw={600} fz="lg" display="block" />)}
        </Paper>
        <Paper p="md">
          <Text size="sm" className="quiet">
            {t('operations.unrated')}
          </Text>
          <Text fw={600} size="lg" className="numeric">
            {t('operations.seconds', { seconds: unratedSeconds })}
          </Text>
        </Paper>
        <Paper p="md" component={Link} to="/staff/reconciliation" className={classes['tile']}>
          <Text size="sm" className="quiet">
            {t('operations.reconcile')}
          </Text>
          {lastReconcile ? (
            <Group gap="sm">
              <Badge color={lastReconcile.holds ? 'teal' : 'red'}>{lastReconcile.holds ? t('reconcile.holds') : t('reconcile.findings', { count: lastReconcile.findings })}</Badge>
              <Text size="sm" component="span">
                <When at={lastReconcile.startedAt} relative />
              </Text>
            </Group>
          ) : (
            <Text size="sm">{t('operations.neverReconciled')}</Text>
          )}
        </Paper>
      </SimpleGrid>
    </Stack>
  );
}
