import { Badge, Text } from '@mantine/core';
import { Boxes } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Count } from '../../components/amount.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { GatewaysDocument } from '../../graphql/generated/operations.ts';
import { useNames } from '../../i18n/names.ts';

const POLL_MS = 5_000;
const colorOf = (state: string): string => ({ alive: 'teal', open: 'teal', fenced: 'red', dead: 'red', lost: 'red' })[state.toLowerCase()] ?? 'gray';

export default function GatewaysPage() {
  const { t } = useTranslation();
  const nameOf = useNames();
  return (
    <Page title={t('gateways.title')} description={t('gateways.description')}>
      <Panel flush>
        <Query document={GatewaysDocument} variables={{}} pollMs={POLL_MS}>
          {({ gateways }) => (
            <DataTable
              caption={t('gateways.title')}
              rows={gateways}
              keyOf={({ id }) => id}
              empty={<EmptyState icon={Boxes} title={t('gateways.empty.title')} text={t('gateways.empty.text')} />}
              columns={[
                { key: 'name', title: t('common.name'), render: ({ name }) => <Text size="sm" fw={500}>{name}</Text> },
                { key: 'state', title: t('gateways.state'), render: ({ state }) => <Badge color={colorOf(state)}>{nameOf('gatewayStates', state)}</Badge> },
                { key: 'started', title: t('gateways.started'), from: 'sm', render: ({ startedAt }) => <When at={startedAt} relative /> },
                { key: 'heartbeat', title: t('gateways.heartbeat'), from: 'sm', render: ({ lastHeartbeatAt }) => <When at={lastHeartbeatAt} relative /> },
                { key: 'open', title: t('gateways.open'), align: 'right', render: ({ openRequests }) => <Count value={openRequests} /> },
                { key: 'leases', title: t('gateways.leases'), align: 'right', from: 'sm', render: ({ leases }) => <Count value={leases} /> },
              ]}
            />
          )}
        </Query>
      </Panel>
    </Page>
  );
}
