import { Badge, Stack, Switch, Text } from '@mantine/core';
import { Split } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Amount, Count } from '../../components/amount.tsx';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { EmptyState } from '../../components/states.tsx';
import { LanesDocument, SetLaneDrainDocument } from '../../graphql/generated/operations.ts';
import type { LanesQuery } from '../../graphql/generated/types.ts';
import { useNames } from '../../i18n/names.ts';
import { useStaffMay } from '../../session/viewer.tsx';

const POLL_MS = 10_000;
type Lane = LanesQuery['lanes'][number];

export default function LanesPage() {
  const { t } = useTranslation();
  const mayWrite = useStaffMay('staff.operations.write');
  const [changing, setChanging] = useState<Lane | null>(null);
  return (
    <Page title={t('lanes.title')} description={t('lanes.description')}>
      <Panel flush>
        <Query document={LanesDocument} variables={{}} pollMs={POLL_MS}>
          {({ lanes }) => (
            <DataTable
              caption={t('lanes.title')}
              rows={lanes}
              keyOf={({ id }) => id}
              empty={<EmptyState icon={Split} title={t('lanes.empty.title')} text={t('lanes.empty.text')} />}
              columns={[
                { key: 'model', title: t('common.model'), render: (lane) => <LaneName lane={lane} /> },
                { key: 'state', title: t('lanes.state'), from: 'xs', render: ({ drain }) => <Badge color={drain ? 'orange' : 'teal'}>{drain ? t('lanes.draining') : t('lanes.open')}</Badge> },
                { key: 'cost', title: t('lanes.cost'), from: 'lg', render: ({ cost }) => <Cost cost={cost} /> },
                { key: 'requests', title: t('lanes.requests'), align: 'right', from: 'sm', render: ({ requestsLastHour }) => <Count value={requestsLastHour} /> },
                { key: 'errors', title: t('lanes.errors'), align: 'right', from: 'sm', render: ({ errorsLastHour }) => <Count value={errorsLastHour} /> },
                { key: 'drain', title: t('lanes.drain'), align: 'right', render: (lane) => <Switch size="sm" display="inline-block" checked={lane.drain} disabled={!mayWrite} aria-label={t('lanes.drainOne', { model: lane.model, url: lane.baseUrl })} onChange={() => setChanging(lane)} /> },
              ]}
            />
          )}
        </Query>
      </Panel>
      {changing && (
        <ConfirmCommand
          document={SetLaneDrainDocument}
          input={{ id: changing.id, drain: !changing.drain }}
          title={changing.drain ? t('lanes.openTitle') : t('lanes.drainTitle')}
          text={changing.drain ? t('lanes.openText') : t('lanes.drainText')}
          confirm={changing.drain ? t('lanes.openAgain') : t('lanes.drain')}
          refetch={['Lanes']}
          onClose={() => setChanging(null)}
        />
      )}
    </Page>
  );
}

function LaneName({ lane: { model, baseUrl, upstreamModel } }: { readonly lane: Lane }) {
  return (
    <Stack gap={0}>
      <Text size="sm" fw={500}>
        {model}
      </Text>
      <Text size="xs" className="quiet" truncate maw={{ base: 190, sm: 340 }}>
        {baseUrl} · {upstreamModel}
      </Text>
    </Stack>
  );
}

function Cost({ cost }: Pick<Lane, 'cost'>) {
  const nameOf = useNames();
  return (
    <Stack gap={0}>
      {cost.map(({ class: name, amount, currency, per }) => (
        <Text key={name} size="xs">
          <span className="quiet">{nameOf('tokenClasses', name)}</span> <Amount value={amount} unit={currency} /> / <Count value={per} />
        </Text>
      ))}
    </Stack>
  );
}
