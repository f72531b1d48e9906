import { Badge, Button, Code, Group, Modal, Stack, Text } from '@mantine/core';
import { Layers, MailWarning } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Count } from '../../components/amount.tsx';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { KeysetList } from '../../components/keyset-list.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { DeadLettersDocument, QueuesDocument, RetryJobDocument } from '../../graphql/generated/operations.ts';
import type { DeadLettersQuery } from '../../graphql/generated/types.ts';
import { useStaffMay } from '../../session/viewer.tsx';

const POLL_MS = 5_000;
type Job = DeadLettersQuery['deadLetters']['nodes'][number];
const connectionOf = (answer: DeadLettersQuery) => answer.deadLetters;

export default function QueuesPage() {
  const { t } = useTranslation();
  return (
    <Page title={t('queues.title')} description={t('queues.description')}>
      <Panel flush title={t('queues.list')}>
        <Query document={QueuesDocument} variables={{}} pollMs={POLL_MS}>
          {({ queues }) => (
            <DataTable
              caption={t('queues.list')}
              rows={queues}
              keyOf={({ name }) => name}
              empty={<EmptyState icon={Layers} title={t('queues.empty.title')} text={t('queues.empty.text')} />}
              columns={[
                { key: 'name', title: t('common.name'), render: ({ name }) => <Text size="sm" fw={500}>{name}</Text> },
                { key: 'state', title: t('queues.state'), render: ({ stuck }) => <Badge color={stuck ? 'red' : 'teal'}>{stuck ? t('queues.stuck') : t('queues.flowing')}</Badge> },
                { key: 'waiting', title: t('queues.waiting'), align: 'right', render: ({ waiting }) => <Count value={waiting} /> },
                { key: 'oldest', title: t('queues.oldest'), align: 'right', from: 'sm', render: ({ oldestWaitingSeconds }) => t('operations.seconds', { seconds: oldestWaitingSeconds }) },
                { key: 'failed', title: t('queues.failed'), align: 'right', render: ({ failed }) => <Count value={failed} /> },
              ]}
            />
          )}
        </Query>
      </Panel>
      <DeadLetters />
    </Page>
  );
}

function DeadLetters() {
  const { t } = useTranslation();
  const mayWrite = useStaffMay('staff.operations.write');
  const [opened, setOpened] = useState<Job | null>(null);
  const [retrying, setRetrying] = useState<Job | null>(null);
  return (
    <Panel flush title={t('deadLetters.title')}>
      <KeysetList
        caption={t('deadLetters.title')}
        document={DeadLettersDocument}
        variables={{}}
        connectionOf={connectionOf}
        keyOf={({ id }) => id}
        empty={<EmptyState icon={MailWarning} title={t('deadLetters.empty.title')} text={t('deadLetters.empty.text')} />}
        columns={[
          { key: 'at', title: t('common.created'), render: ({ createdAt }) => <When at={createdAt} relative /> },
          { key: 'queue', title: t('deadLetters.queue'), render: ({ queue }) => <Text size="sm" fw={500}>{queue}</Text> },
          { key: 'error', title: t('deliveries.error'), from: 'md', render: ({ lastError }) => <Text size="sm" truncate maw={360}>{lastError}</Text> },
          { key: 'attempts', title: t('deliveries.attempts'), align: 'right', from: 'sm', render: ({ attempts }) => attempts },
          {
            key: 'actions',
            title: '',
            align: 'right',
            render: (job) => (
              <Group gap={6} justify="flex-end" wrap="nowrap">
                <Button size="compact-xs" variant="default" onClick={() => setOpened(job)}>
                  {t('approvals.look')}
                </Button>
                {mayWrite && (
                  <Button size="compact-xs" onClick={() => setRetrying(job)}>
                    {t('deadLetters.retry')}
                  </Button>
                )}
              </Group>
            ),
          },
        ]}
      />
      {opened && <JobDetail job={opened} onClose={() => setOpened(null)} />}
      {retrying && <ConfirmCommand document={RetryJobDocument} input={{ id: retrying.id }} title={t('deadLetters.retryTitle')} text={t('deadLetters.retryText')} confirm={t('deadLetters.retry')} refetch={['DeadLetters', 'Queues']} onClose={() => setRetrying(null)} />}
    </Panel>
  );
}

function JobDetail({ job, onClose }: { readonly job: Job; readonly onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal opened size="lg" title={`${job.queue} ${job.key}`} onClose={onClose} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <Stack gap="sm">
        {job.lastError && <Text size="sm">{job.lastError}</Text>}
        <Code block tabIndex={0} aria-label={t('approvals.details')}>
          {JSON.stringify(job.payload, null, 2)}
        </Code>
      </Stack>
    </Modal>
  );
}
