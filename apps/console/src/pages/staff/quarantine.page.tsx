import { Button, Code, Modal, Text } from '@mantine/core';
import { ShieldAlert } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { KeysetList } from '../../components/keyset-list.tsx';
import { None } from '../../components/none.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { QuarantineDocument } from '../../graphql/generated/operations.ts';
import type { QuarantineQuery } from '../../graphql/generated/types.ts';

const connectionOf = (answer: QuarantineQuery) => answer.quarantine;
type Row = QuarantineQuery['quarantine']['nodes'][number];

export default function QuarantinePage() {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<Row | null>(null);
  return (
    <Page title={t('quarantine.title')} description={t('quarantine.description')}>
      <Panel flush>
        <KeysetList
          caption={t('quarantine.title')}
          document={QuarantineDocument}
          variables={{}}
          connectionOf={connectionOf}
          keyOf={({ id }) => id}
          empty={<EmptyState icon={ShieldAlert} title={t('quarantine.empty.title')} text={t('quarantine.empty.text')} />}
          columns={[
            { key: 'at', title: t('quarantine.at'), render: ({ quarantinedAt }) => <When at={quarantinedAt} /> },
            { key: 'organization', title: t('common.organization'), render: ({ organization }) => organization.name },
            { key: 'step', title: t('quarantine.step'), from: 'sm', render: ({ step }) => step ?? <None /> },
            { key: 'reason', title: t('quarantine.reason'), from: 'md', render: ({ reason }) => <Text size="sm" truncate maw={420}>{reason}</Text> },
            {
              key: 'open',
              title: '',
              align: 'right',
              render: (row) => (
                <Button size="compact-xs" variant="default" onClick={() => setOpened(row)}>
                  {t('approvals.look')}
                </Button>
              ),
            },
          ]}
        />
      </Panel>
      {opened && (
        <Modal opened size="lg" title={opened.reason} onClose={() => setOpened(null)} closeButtonProps={{ 'aria-label': t('common.close') }}>
          <Code block tabIndex={0} aria-label={t('approvals.details')}>
            {opened.raw}
          </Code>
        </Modal>
      )}
    </Page>
  );
}
