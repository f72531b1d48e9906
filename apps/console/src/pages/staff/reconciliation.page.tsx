import { Badge, Button, Code, Modal } from '@mantine/core';
import { Scale } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Count } from '../../components/amount.tsx';
import { KeysetList } from '../../components/keyset-list.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When, WholeTime } from '../../components/when.tsx';
import { ReconcileRunsDocument } from '../../graphql/generated/operations.ts';
import type { ReconcileRunsQuery } from '../../graphql/generated/types.ts';

const connectionOf = (answer: ReconcileRunsQuery) => answer.reconcileRuns;
type Run = ReconcileRunsQuery['reconcileRuns']['nodes'][number];

export default function ReconciliationPage() {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<Run | null>(null);
  return (
    <Page title={t('reconcile.title')} description={t('reconcile.description')}>
      <Panel flush>
        <KeysetList
          caption={t('reconcile.title')}
          document={ReconcileRunsDocument}
          variables={{}}
          connectionOf={connectionOf}
          keyOf={({ id }) => id}
          empty={<EmptyState icon={Scale} title={t('reconcile.empty.title')} text={t('reconcile.empty.text')} />}
          columns={[
            { key: 'started', title: t('reconcile.started'), render: ({ startedAt }) => <WholeTime at={startedAt} /> },
            { key: 'finished', title: t('reconcile.finished'), from: 'sm', render: ({ finishedAt }) => <When at={finishedAt} relative /> },
            { key: 'result', title: t('reconcile.result'), render: ({ holds }) => <Badge color={holds ? 'teal' : 'red'}>{holds ? t('reconcile.holds') : t('reconcile.broken')}</Badge> },
            { key: 'findings', title: t('reconcile.found'), align: 'right', render: ({ findings }) => <Count value={findings} /> },
            {
              key: 'open',
              title: '',
              align: 'right',
              render: (run) => (
                <Button size="compact-xs" variant="default" onClick={() => setOpened(run)}>
                  {t('approvals.look')}
                </Button>
              ),
            },
          ]}
        />
      </Panel>
      {opened && (
        <Modal opened size="lg" title={t('reconcile.title')} onClose={() => setOpened(null)} closeButtonProps={{ 'aria-label': t('common.close') }}>
          <Code block tabIndex={0} aria-label={t('approvals.details')}>
            {JSON.stringify(opened.summary, null, 2)}
          </Code>
        </Modal>
      )}
    </Page>
  );
}
