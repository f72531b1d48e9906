import { Stack } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Page } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { LimitsDocument } from '../../graphql/generated/limits.ts';
import { useOrganization } from '../../session/organization.tsx';
import { Alerts } from './alerts.tsx';
import { Budgets } from './budgets.tsx';
import { Limits } from './limits.tsx';

export default function LimitsPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  return (
    <Page title={t('limits.title')} description={t('limits.description')}>
      <Query document={LimitsDocument} variables={{ organizationId: id }}>
        {({ organization }) =>
          organization && (
            <Stack gap="lg">
              <Budgets budgets={organization.budgets} units={organization.balances.map(({ unit }) => unit)} />
              <Limits limits={organization.limits} />
              <Alerts settings={organization.alertSettings} units={organization.balances.map(({ unit }) => unit)} />
            </Stack>
          )
        }
      </Query>
    </Page>
  );
}
