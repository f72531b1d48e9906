import { Badge, Button, SegmentedControl, Stack, Text, Tooltip } from '@mantine/core';
import { KeyRound, Pencil, Plus, RefreshCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { KeysetList } from '../../components/keyset-list.tsx';
import type { Column } from '../../components/data-table.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Prefix } from '../../components/copy.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { ApiKeysDocument } from '../../graphql/generated/api-keys.ts';
import type { ApiKeyFieldsFragment, ApiKeyState, ApiKeysQuery } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';
import { KeyDialog, type KeyAction } from './key-dialog.tsx';

const states = ['ACTIVE', 'REVOKED', 'EXPIRED'] as const satisfies readonly ApiKeyState[];
const colors = { ACTIVE: 'teal', REVOKED: 'red', EXPIRED: 'gray' } as const;
const connectionOf = (answer: ApiKeysQuery) => answer.organization?.apiKeys;

export default function ApiKeysPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const mayWrite = useMay('keys.write');
  const [state, setState] = useState<ApiKeyState>('ACTIVE');
  const [action, setAction] = useState<KeyAction | null>(null);
  const create = mayWrite && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setAction({ kind: 'create' })}>
      {t('keys.create')}
    </Button>
  );
  const choice = <SegmentedControl size="xs" aria-label={t('keys.state')} value={state} onChange={setState} data={states.map((value) => ({ value, label: t(`keyStates.${value}`) }))} />;
  return (
    <Page title={t('keys.title')} description={t('keys.description')} actions={create}>
      <Panel flush actions={choice} title={t('keys.list')}>
        <KeysetList
          caption={t('keys.title')}
          document={ApiKeysDocument}
          variables={{ organizationId: id, state }}
          connectionOf={connectionOf}
          columns={useColumns(mayWrite, setAction)}
          keyOf={(key) => key.id}
          empty={<EmptyState icon={KeyRound} title={t('keys.empty.title')} text={t('keys.empty.text')} action={state === 'ACTIVE' && create} />}
        />
      </Panel>
      {action && <KeyDialog action={action} onClose={() => setAction(null)} />}
    </Page>
  );
}

function useColumns(mayWrite: boolean, act: (action: KeyAction) => void): readonly Column<ApiKeyFieldsFragment>[] {
  const { t } = useTranslation();
  return [
    {
      key: 'name',
      title: t('common.name'),
      render: ({ name, prefix }) => (
        <Stack gap={0}>
          <Text size="sm" fw={500}>
            {name}
          </Text>
          <Prefix text={prefix} />
        </Stack>
      ),
    },
    { key: 'project', title: t('common.project'), from: 'sm', render: ({ project }) => project.name },
    { key: 'state', title: t('keys.state'), render: ({ state }) => <Badge color={colors[state]}>{t(`keyStates.${state}`)}</Badge> },
    { key: 'models', title: t('keys.models'), from: 'md', render: ({ allowedModels }) => <Models models={allowedModels} /> },
    { key: 'limits', title: t('keys.limits'), align: 'right', from: 'lg', render: ({ limits }) => limits.length },
    { key: 'used', title: t('keys.lastUsed'), from: 'md', render: ({ lastUsedAt }) => <When at={lastUsedAt} relative /> },
    { key: 'expires', title: t('common.expires'), from: 'lg', render: ({ expiresAt }) => <When at={expiresAt} relative /> },
    {
      key: 'actions',
      title: '',
      align: 'right',
      render: (key) => {
        const isActive = mayWrite && key.state === 'ACTIVE';
        const actions = [
          { label: t('keys.edit'), icon: Pencil, run: () => act({ kind: 'edit', key }) },
          { label: t('keys.roll'), icon: RefreshCw, run: () => act({ kind: 'roll', key }) },
          { label: t('keys.revoke'), icon: Trash2, danger: true, run: () => act({ kind: 'revoke', key }) },
        ];
        return <RowMenu name={key.name} actions={isActive ? actions : []} />;
      },
    },
  ];
}

function Models({ models }: { readonly models: readonly string[] | null }) {
  const { t } = useTranslation();
  if (models === null) return <span className="quiet">{t('keys.allModels')}</span>;
  const [first, ...others] = models;
  return (
    <Tooltip label={models.join(', ')} disabled={others.length === 0}>
      <Text size="sm" truncate maw={200} tabIndex={others.length > 0 ? 0 : undefined}>
        {others.length > 0 ? t('keys.modelAndOthers', { model: first, count: others.length }) : first}
      </Text>
    </Tooltip>
  );
}
