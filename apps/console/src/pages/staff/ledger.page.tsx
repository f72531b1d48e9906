import { Badge, Stack, Text } from '@mantine/core';
import { BookOpen } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Amount } from '../../components/amount.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { None } from '../../components/none.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { EmptyState } from '../../components/states.tsx';
import { LedgerAccountsDocument } from '../../graphql/generated/operations.ts';
import { useNames } from '../../i18n/names.ts';

export default function LedgerPage() {
  const { t } = useTranslation();
  const nameOf = useNames();
  return (
    <Page title={t('chart.title')} description={t('chart.description')}>
      <Panel flush>
        <Query document={LedgerAccountsDocument} variables={{}}>
          {({ ledgerAccounts }) => (
            <DataTable
              caption={t('chart.title')}
              rows={ledgerAccounts}
              keyOf={({ name }) => name}
              empty={<EmptyState icon={BookOpen} title={t('ledger.empty.title')} text={t('ledger.empty.text')} />}
              columns={[
                {
                  key: 'name',
                  title: t('chart.account'),
                  render: ({ name, meaning }) => (
                    <Stack gap={0}>
                      <Text size="sm" fw={500}>
                        {name}
                      </Text>
                      <Text size="xs" className="quiet" maw={520}>
                        {meaning}
                      </Text>
                    </Stack>
                  ),
                },
                { key: 'kind', title: t('chart.kind'), from: 'sm', render: ({ kind }) => <Badge color="gray">{nameOf('accountKinds', kind)}</Badge> },
                {
                  key: 'balance',
                  title: t('chart.balance'),
                  align: 'right',
                  render: ({ balances }) => (
                    <Stack gap={0} align="flex-end">
                      {balances.length === 0 ? <None /> : balances.map(({ unit, amount }) => <Amount key={unit} value={amount} unit={unit} />)}
                    </Stack>
                  ),
                },
              ]}
            />
          )}
        </Query>
      </Panel>
    </Page>
  );
}
