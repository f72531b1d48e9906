import { Badge, Stack, Text } from '@mantine/core';
import { ArrowRightLeft, Pencil, Undo2, Wallet } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Amount } from '../../components/amount.tsx';
import { KeysetList } from '../../components/keyset-list.tsx';
import { Panel } from '../../components/page.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { GrantsDocument } from '../../graphql/generated/balance.ts';
import type { GrantFieldsFragment, GrantState, GrantsQuery } from '../../graphql/generated/types.ts';
import { useNames } from '../../i18n/names.ts';

const connectionOf = (answer: GrantsQuery) => answer.organization?.grants;
const colors: Readonly<Record<GrantState, string>> = { ACTIVE: 'teal', UPCOMING: 'blue', SPENT: 'gray', EXPIRED: 'gray', CLOSING: 'orange', CLOSED: 'gray' };
const icons = { transfer: ArrowRightLeft, adjust: Pencil, refund: Undo2 } as const;

export interface GrantAction {
  readonly kind: keyof typeof icons;
  readonly run: () => void;
}

interface GrantsProps {
  readonly organizationId: string;
  readonly actionsOf: (grant: GrantFieldsFragment) => readonly GrantAction[];
}

export function Grants({ organizationId, actionsOf }: GrantsProps) {
  const { t } = useTranslation();
  const nameOf = useNames();
  return (
    <Panel flush>
      <KeysetList
        caption={t('grants.title')}
        document={GrantsDocument}
        variables={{ organizationId }}
        connectionOf={connectionOf}
        keyOf={({ id }) => id}
        empty={<EmptyState icon={Wallet} title={t('grants.empty.title')} text={t('grants.empty.text')} />}
        columns={[
          {
            key: 'source',
            title: t('grants.source'),
            render: ({ source, reference }) => (
              <Stack gap={0}>
                <Text size="sm" fw={500}>
                  {nameOf('grantSources', source)}
                </Text>
                <Text size="xs" className="quiet" truncate maw={{ base: 120, sm: 240 }}>
                  {reference}
                </Text>
              </Stack>
            ),
          },
          { key: 'state', title: t('grants.state'), from: 'xs', render: ({ state }) => <Badge color={colors[state]}>{t(`grantStates.${state}`)}</Badge> },
          { key: 'effective', title: t('grants.from'), from: 'md', render: ({ effectiveAt }) => <When at={effectiveAt} relative /> },
          { key: 'expires', title: t('common.expires'), from: 'sm', render: ({ expiresAt }) => <When at={expiresAt} relative /> },
          { key: 'amount', title: t('grants.granted'), align: 'right', from: 'sm', render: ({ amount, unit }) => <Amount value={amount} unit={unit} /> },
          { key: 'available', title: t('grants.available'), align: 'right', render: ({ available, unit }) => <Amount value={available} unit={unit} fw={500} /> },
          {
            key: 'actions',
            title: '',
            align: 'right',
            render: (grant) => <RowMenu name={grant.reference ?? nameOf('grantSources', grant.source)} actions={actionsOf(grant).map(({ kind, run }) => ({ label: t(`grantActions.${kind}`), icon: icons[kind], run }))} />,
          },
        ]}
      />
    </Panel>
  );
}
