import { Badge, Button, Stack, Text, TextInput } from '@mantine/core';
import { Plus, Server, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { Prefix, SecretModal, Snippet } from '../../components/copy.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { CreateServiceTokenDocument, RevokeServiceTokenDocument, ServiceTokensDocument } from '../../graphql/generated/service-tokens.ts';
import type { Role, ServiceTokenFieldsFragment } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';
import { RoleChoice } from '../team/role-forms.tsx';

export default function TokensPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const mayWrite = useMay('tokens.write');
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ServiceTokenFieldsFragment | null>(null);
  const create = mayWrite && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setCreating(true)}>
      {t('tokens.create')}
    </Button>
  );
  return (
    <Page title={t('tokens.title')} description={t('tokens.description')} actions={create}>
      <Panel flush>
        <Query document={ServiceTokensDocument} variables={{ organizationId: id }}>
          {({ organization }) => (
            <DataTable
              caption={t('tokens.title')}
              rows={organization?.serviceTokens ?? []}
              keyOf={(token) => token.id}
              empty={<EmptyState icon={Server} title={t('tokens.empty.title')} text={t('tokens.empty.text')} action={create} />}
              columns={[
                { key: 'name', title: t('common.name'), render: (token) => <TokenName token={token} /> },
                { key: 'role', title: t('team.role'), render: ({ role }) => <Badge>{t(`roles.${role}`)}</Badge> },
                { key: 'state', title: t('keys.state'), from: 'sm', render: (token) => <TokenState token={token} /> },
                { key: 'used', title: t('keys.lastUsed'), from: 'md', render: ({ lastUsedAt }) => <When at={lastUsedAt} relative /> },
                { key: 'expires', title: t('common.expires'), from: 'sm', render: ({ expiresAt }) => <When at={expiresAt} relative /> },
                { key: 'actions', title: '', align: 'right', render: (token) => <RowMenu name={token.name} actions={mayWrite && !token.revokedAt ? [{ label: t('keys.revoke'), icon: Trash2, danger: true, run: () => setRevoking(token) }] : []} /> },
              ]}
            />
          )}
        </Query>
      </Panel>
      {creating && <CreateToken onClose={() => setCreating(false)} />}
      {revoking && (
        <ConfirmCommand danger document={RevokeServiceTokenDocument} input={{ id: revoking.id }} title={t('tokens.revokeTitle', { name: revoking.name })} text={t('tokens.revokeText')} confirm={t('keys.revoke')} refetch={['ServiceTokens']} onClose={() => setRevoking(null)} />
      )}
    </Page>
  );
}

function TokenName({ token: { name, prefix } }: { readonly token: ServiceTokenFieldsFragment }) {
  return (
    <Stack gap={0}>
      <Text size="sm" fw={500}>
        {name}
      </Text>
      <Prefix text={prefix} />
    </Stack>
  );
}

function TokenState({ token: { revokedAt, expiresAt } }: { readonly token: ServiceTokenFieldsFragment }) {
  const { t } = useTranslation();
  if (revokedAt) return <Badge color="red">{t('keyStates.REVOKED')}</Badge>;
  return Date.parse(expiresAt) < Date.now() ? <Badge color="gray">{t('keyStates.EXPIRED')}</Badge> : <Badge color="teal">{t('keyStates.ACTIVE')}</Badge>;
}

const USUAL_DAYS = 90;
const dayMs = 86_400_000;
const inDays = (days: number): string => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10);

function CreateToken({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const [secret, setSecret] = useState<string | null>(null);
  const command = useCommandForm({
    document: CreateServiceTokenDocument,
    initialValues: { name: '', role: 'VIEWER', expiresAt: inDays(USUAL_DAYS) },
    validate: { name: (name: string) => (name.trim() === '' ? t('forms.required') : null), expiresAt: (date: string) => (date === '' ? t('forms.required') : null) },
    toInput: ({ name, role, expiresAt }) => ({ organizationId: id, name: name.trim(), role: role as Role, expiresAt: new Date(`${expiresAt}T23:59:59`).toISOString() }),
    refetch: ['ServiceTokens'],
    onDone: (value) => setSecret(value.secret),
  });
  if (secret !== null) {
    return (
      <SecretModal title={t('tokens.created')} secret={secret} onClose={onClose}>
        <Snippet label={t('keys.examples')} text={`curl ${location.origin}/graphql \\\n  -H 'authorization: Bearer ${secret}' \\\n  -H 'content-type: application/json' \\\n  -d '{"query":"{ viewer { memberships { organization { name } } } }"}'`} />
      </SecretModal>
    );
  }
  const { form } = command;
  return (
    <FormModal title={t('tokens.create')} submit={t('tokens.create')} command={command} onClose={onClose}>
      <TextInput label={t('common.name')} required data-autofocus maxLength={200} {...form.getInputProps('name')} />
      <RoleChoice value={form.values.role} onChange={(role) => form.setFieldValue('role', role)} />
      <TextInput type="date" label={t('common.expires')} required {...form.getInputProps('expiresAt')} />
    </FormModal>
  );
}
