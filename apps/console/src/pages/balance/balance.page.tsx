import { SimpleGrid, Stack, Tabs } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Page } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { BalancesDocument } from '../../graphql/generated/balance.ts';
import type { GrantFieldsFragment } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';
import { BalanceTile } from '../overview/balance-tile.tsx';
import { Grants } from './grants.tsx';
import { Ledger } from './ledger.tsx';
import { TransferGrant } from './transfer-grant.tsx';

export default function BalancePage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const mayTransfer = useMay('grants.transfer');
  const [transferring, setTransferring] = useState<GrantFieldsFragment | null>(null);
  return (
    <Page title={t('balance.title')} description={t('balance.description')}>
      <Query document={BalancesDocument} variables={{ organizationId: id }}>
        {({ organization }) => {
          const children = organization?.children.nodes ?? [];
          return (
            <Stack gap="lg">
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>{organization?.balances.map((balance) => <BalanceTile key={balance.unit} balance={balance} />)}</SimpleGrid>
              <Tabs defaultValue="grants" keepMounted={false}>
                <Tabs.List aria-label={t('balance.title')} mb="md">
                  <Tabs.Tab value="grants">{t('grants.title')}</Tabs.Tab>
                  <Tabs.Tab value="ledger">{t('ledger.title')}</Tabs.Tab>
                </Tabs.List>
                <Tabs.Panel value="grants">
                  <Grants organizationId={id} actionsOf={(grant) => (mayTransfer && children.length > 0 && grant.state === 'ACTIVE' ? [{ kind: 'transfer', run: () => setTransferring(grant) }] : [])} />
                </Tabs.Panel>
                <Tabs.Panel value="ledger">
                  <Ledger organizationId={id} />
                </Tabs.Panel>
              </Tabs>
              {transferring && <TransferGrant grant={transferring} organizations={children} onClose={() => setTransferring(null)} />}
            </Stack>
          );
        }}
      </Query>
    </Page>
  );
}
