import { Stack, Text } from '@mantine/core';
import { BookOpen } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Amount, Count } from '../../components/amount.tsx';
import { KeysetList } from '../../components/keyset-list.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { LedgerDocument } from '../../graphql/generated/balance.ts';
import type { LedgerFieldsFragment, LedgerQuery } from '../../graphql/generated/types.ts';
import { useNames } from '../../i18n/names.ts';

const connectionOf = (answer: LedgerQuery) => answer.organization?.ledger;

/** Every transaction with its postings, newest first; the sum of each transaction's postings is zero in each unit. */
export function Ledger({ organizationId }: { readonly organizationId: string }) {
  const { t } = useTranslation();
  const nameOf = useNames();
  return (
    <Panel flush>
      <KeysetList
        caption={t('ledger.title')}
        document={LedgerDocument}
        variables={{ organizationId }}
        connectionOf={connectionOf}
        keyOf={({ id }) => id}
        empty={<EmptyState icon={BookOpen} title={t('ledger.empty.title')} text={t('ledger.empty.text')} />}
        columns={[
          { key: 'position', title: t('ledger.position'), align: 'right', from: 'md', width: 90, render: ({ position }) => <Count value={position} /> },
          { key: 'at', title: t('ledger.posted'), render: ({ postedAt }) => <When at={postedAt} /> },
          {
            key: 'kind',
            title: t('ledger.kind'),
            render: ({ kind, hash }) => (
              <Stack gap={0}>
                <Text size="sm" fw={500}>
                  {nameOf('postings', kind)}
                </Text>
                <Text size="xs" ff="monospace" className="quiet" visibleFrom="md">
                  {hash.slice(0, 12)}
                </Text>
              </Stack>
            ),
          },
          { key: 'postings', title: t('ledger.postings'), render: ({ postings }) => <Postings postings={postings} /> },
        ]}
      />
    </Panel>
  );
}

function Postings({ postings }: Pick<LedgerFieldsFragment, 'postings'>) {
  return (
    <Stack gap={2}>
      {postings.map(({ account, unit, amount }, index) => (
        <Text key={index} size="sm" component="div" style={{ display: 'flex', justifyContent: 'space-between', gap: 16 }}>
          <span className="quiet">{account}</span>
          <Amount value={amount} unit={unit} />
        </Text>
      ))}
    </Stack>
  );
}
