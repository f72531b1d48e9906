import { Badge, Stack, Text } from '@mantine/core';
import { Send } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { KeysetList } from '../../components/keyset-list.tsx';
import { None } from '../../components/none.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { WebhookDeliveriesDocument } from '../../graphql/generated/webhooks.ts';
import type { WebhookDeliveriesQuery } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';

const connectionOf = (answer: WebhookDeliveriesQuery) => answer.organization?.webhookDeliveries;
const colorOf = (status: string): string => ({ delivered: 'teal', done: 'teal', dead: 'red', failed: 'red' })[status.toLowerCase()] ?? 'gray';

export function Deliveries() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  return (
    <Panel flush title={t('deliveries.title')}>
      <KeysetList
        caption={t('deliveries.title')}
        document={WebhookDeliveriesDocument}
        variables={{ organizationId: id }}
        connectionOf={connectionOf}
        keyOf={(delivery) => delivery.id}
        empty={<EmptyState icon={Send} title={t('deliveries.empty.title')} text={t('deliveries.empty.text')} />}
        columns={[
          { key: 'at', title: t('common.created'), render: ({ createdAt }) => <When at={createdAt} /> },
          {
            key: 'type',
            title: t('deliveries.event'),
            render: ({ type, endpoint }) => (
              <Stack gap={0}>
                <Text size="sm">{type}</Text>
                <Text size="xs" className="quiet" truncate maw={300}>
                  {endpoint?.url}
                </Text>
              </Stack>
            ),
          },
          { key: 'status', title: t('deliveries.status'), render: ({ status }) => <Badge color={colorOf(status)}>{status}</Badge> },
          { key: 'attempts', title: t('deliveries.attempts'), align: 'right', from: 'sm', render: ({ attempts }) => attempts },
          { key: 'next', title: t('deliveries.next'), from: 'md', render: ({ nextAt }) => <When at={nextAt} relative /> },
          { key: 'error', title: t('deliveries.error'), from: 'lg', render: ({ lastError }) => (lastError ? <Text size="xs" maw={260} truncate title={lastError}>{lastError}</Text> : <None />) },
        ]}
      />
    </Panel>
  );
}
