import { Anchor, Button, Group, SimpleGrid, Stack, Tabs, Text } from '@mantine/core';
import { ArrowLeft, Building2, Eye, Plus } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import { Page } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { EmptyState } from '../../components/states.tsx';
import { StaffOrganizationDocument } from '../../graphql/generated/staff.ts';
import type { GrantFieldsFragment, StaffOrganizationQuery } from '../../graphql/generated/types.ts';
import { OrganizationProvider } from '../../session/organization.tsx';
import { useStaffMay } from '../../session/viewer.tsx';
import { Grants } from '../balance/grants.tsx';
import { Ledger } from '../balance/ledger.tsx';
import { BalanceTile } from '../overview/balance-tile.tsx';
import { ChangeGrant, IssueGrant } from './grant-forms.tsx';
import { ImpersonateForm } from './impersonate-form.tsx';
import { OrganizationApprovals } from './approval-list.tsx';

type Organization = NonNullable<StaffOrganizationQuery['organization']>;
type Action = { readonly kind: 'issue' | 'view' } | { readonly kind: 'adjust' | 'refund'; readonly grant: GrantFieldsFragment };

export default function StaffOrganizationPage() {
  const { t } = useTranslation();
  const { slug = '' } = useParams();
  return (
    <Stack gap="sm">
      <Anchor component={Link} to="/staff/organizations" size="sm" c="var(--text-quiet)">
        <Group gap={6}>
          <ArrowLeft size={14} aria-hidden="true" />
          {t('organizations.title')}
        </Group>
      </Anchor>
      <Query document={StaffOrganizationDocument} variables={{ slug }}>
        {({ organization }) =>
          organization ? <Body organization={organization} /> : <EmptyState icon={Building2} title={t('organization.missing.title')} text={t('organization.missing.text')} />
        }
      </Query>
    </Stack>
  );
}

function Body({ organization }: { readonly organization: Organization }) {
  const { t } = useTranslation();
  const mayPay = useStaffMay('staff.money.write');
  const mayRead = useStaffMay('staff.money.read');
  const mayView = useStaffMay('staff.impersonate') && organization.kind === 'CUSTOMER';
  const [action, setAction] = useState<Action | null>(null);
  const close = () => setAction(null);
  const actions = (
    <>
      {mayView && (
        <Button variant="default" leftSection={<Eye size={16} aria-hidden="true" />} onClick={() => setAction({ kind: 'view' })}>
          {t('impersonation.start')}
        </Button>
      )}
      {mayPay && (
        <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setAction({ kind: 'issue' })}>
          {t('grants.issue')}
        </Button>
      )}
    </>
  );
  return (
    <OrganizationProvider organization={organization}>
      <Page title={organization.name} description={<Description organization={organization} />} actions={actions}>
        {mayRead && <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>{organization.balances.map((balance) => <BalanceTile key={balance.unit} balance={balance} />)}</SimpleGrid>}
        {mayRead && (
          <Tabs defaultValue="grants" keepMounted={false}>
            <Tabs.List mb="md" aria-label={organization.name}>
              <Tabs.Tab value="grants">{t('grants.title')}</Tabs.Tab>
              <Tabs.Tab value="approvals">{t('approvals.title')}</Tabs.Tab>
              <Tabs.Tab value="ledger">{t('ledger.title')}</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="grants">
              <Grants organizationId={organization.id} actionsOf={(grant) => (mayPay ? (['adjust', 'refund'] as const).map((kind) => ({ kind, run: () => setAction({ kind, grant }) })) : [])} />
            </Tabs.Panel>
            <Tabs.Panel value="approvals">
              <OrganizationApprovals organizationId={organization.id} />
            </Tabs.Panel>
            <Tabs.Panel value="ledger">
              <Ledger organizationId={organization.id} />
            </Tabs.Panel>
          </Tabs>
        )}
      </Page>
      {action?.kind === 'view' && <ImpersonateForm organization={organization} onClose={close} />}
      {action?.kind === 'issue' && <IssueGrant organization={organization} onClose={close} />}
      {(action?.kind === 'adjust' || action?.kind === 'refund') && <ChangeGrant kind={action.kind} grant={action.grant} onClose={close} />}
    </OrganizationProvider>
  );
}

function Description({ organization: { slug, timeZone, parent } }: { readonly organization: Organization }) {
  const { t } = useTranslation();
  return (
    <Text span inherit>
      {slug} · {timeZone}
      {parent && ` · ${t('organizations.childOf', { name: parent.name })}`}
    </Text>
  );
}
