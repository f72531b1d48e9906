import { Anchor, Badge, Button, Select, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { Building2, Plus, Search } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import { Amount } from '../../components/amount.tsx';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { KeysetList } from '../../components/keyset-list.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { CreateOrganizationDocument, OrganizationsDocument } from '../../graphql/generated/staff.ts';
import type { OrganizationsQuery } from '../../graphql/generated/types.ts';
import { useStaffMay } from '../../session/viewer.tsx';

const TYPING_MS = 250;
const connectionOf = (answer: OrganizationsQuery) => answer.organizations;
type Row = OrganizationsQuery['organizations']['nodes'][number];
const linkOf = ({ slug }: Row): string => `/staff/organizations/${slug}`;

export default function OrganizationsPage() {
  const { t } = useTranslation();
  const mayWrite = useStaffMay('staff.organizations.write');
  const [text, setText] = useState('');
  const [search] = useDebouncedValue(text.trim(), TYPING_MS);
  const [creating, setCreating] = useState(false);
  const create = mayWrite && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setCreating(true)}>
      {t('organizations.create')}
    </Button>
  );
  return (
    <Page title={t('organizations.title')} description={t('organizations.description')} actions={create}>
      <TextInput type="search" maw={360} aria-label={t('organizations.search')} placeholder={t('organizations.search')} leftSection={<Search size={15} aria-hidden="true" />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <Panel flush>
        <KeysetList
          caption={t('organizations.title')}
          document={OrganizationsDocument}
          variables={{ search: search === '' ? null : search }}
          connectionOf={connectionOf}
          keyOf={({ id }) => id}
          linkOf={linkOf}
          empty={<EmptyState icon={Building2} title={t('organizations.empty.title')} text={t('organizations.empty.text')} />}
          columns={[
            { key: 'name', title: t('common.name'), render: (row) => <Name row={row} /> },
            { key: 'kind', title: t('organizations.kind'), from: 'md', render: ({ kind }) => <Badge color={kind === 'COMPANY' ? 'iris' : 'gray'}>{t(`organizationKinds.${kind}`)}</Badge> },
            { key: 'created', title: t('common.created'), from: 'sm', render: ({ createdAt }) => <When at={createdAt} relative /> },
            {
              key: 'balance',
              title: t('grants.available'),
              align: 'right',
              render: ({ balances }) => (
                <Stack gap={0} align="flex-end">
                  {balances.map(({ unit, available }) => (
                    <Amount key={unit} value={available} unit={unit} />
                  ))}
                </Stack>
              ),
            },
          ]}
        />
      </Panel>
      {creating && <CreateOrganization onClose={() => setCreating(false)} />}
    </Page>
  );
}

function Name({ row }: { readonly row: Row }) {
  return (
    <Stack gap={0}>
      <Anchor component={Link} to={linkOf(row)} size="sm" fw={500} c="inherit">
        {row.name}
      </Anchor>
      <Text size="xs" className="quiet">
        {row.slug}
      </Text>
    </Stack>
  );
}

function CreateOrganization({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const command = useCommandForm({
    document: CreateOrganizationDocument,
    initialValues: { name: '', slug: '', timeZone: 'UTC' },
    validate: { name: (name: string) => (name.trim() === '' ? t('forms.required') : null), slug: (slug: string) => (/^[a-z0-9][a-z0-9-]*$/.test(slug) ? null : t('forms.slug')) },
    toInput: ({ name, slug, timeZone }) => ({ name: name.trim(), slug, timeZone }),
    refetch: ['Organizations'],
    onDone: ({ slug }) => void navigate(`/staff/organizations/${slug}`),
  });
  const { form } = command;
  return (
    <FormModal title={t('organizations.create')} submit={t('organizations.create')} command={command} onClose={onClose}>
      <TextInput label={t('common.name')} required data-autofocus maxLength={200} {...form.getInputProps('name')} />
      <TextInput label={t('settings.slug')} description={t('settings.slugRule')} required maxLength={60} {...form.getInputProps('slug')} />
      <Select label={t('settings.timeZone')} searchable allowDeselect={false} data={['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]} limit={100} {...form.getInputProps('timeZone')} />
    </FormModal>
  );
}
