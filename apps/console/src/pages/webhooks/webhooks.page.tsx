import { Button, Text } from '@mantine/core';
import { Plus, RefreshCw, Trash2, Webhook } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { SecretModal } from '../../components/copy.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { RemoveWebhookEndpointDocument, RollWebhookSecretDocument, WebhookEndpointsDocument } from '../../graphql/generated/webhooks.ts';
import type { EndpointFieldsFragment } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';
import { Deliveries } from './deliveries.tsx';
import { EndpointForm } from './endpoint-form.tsx';

type Action = { readonly kind: 'create' } | { readonly kind: 'roll' | 'remove'; readonly endpoint: EndpointFieldsFragment } | { readonly kind: 'secret'; readonly secret: string };

export default function WebhooksPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const mayWrite = useMay('webhooks.write');
  const [action, setAction] = useState<Action | null>(null);
  const create = mayWrite && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setAction({ kind: 'create' })}>
      {t('webhooks.create')}
    </Button>
  );
  const actionsOf = (endpoint: EndpointFieldsFragment) => [
    { label: t('webhooks.roll'), icon: RefreshCw, run: () => setAction({ kind: 'roll', endpoint }) },
    { label: t('common.remove'), icon: Trash2, danger: true, run: () => setAction({ kind: 'remove', endpoint }) },
  ];
  return (
    <Page title={t('webhooks.title')} description={t('webhooks.description')} actions={create}>
      <Panel flush title={t('webhooks.endpoints')}>
        <Query document={WebhookEndpointsDocument} variables={{ organizationId: id }}>
          {({ organization }) => (
            <DataTable
              caption={t('webhooks.endpoints')}
              rows={organization?.webhookEndpoints ?? []}
              keyOf={(endpoint) => endpoint.id}
              empty={<EmptyState icon={Webhook} title={t('webhooks.empty.title')} text={t('webhooks.empty.text')} action={create} />}
              columns={[
                { key: 'url', title: t('webhooks.url'), render: ({ url }) => <Text size="sm" fw={500} truncate maw={380}>{url}</Text> },
                { key: 'types', title: t('webhooks.types'), from: 'sm', render: ({ types }) => types?.join(', ') ?? <span className="quiet">{t('webhooks.allTypes')}</span> },
                { key: 'created', title: t('common.created'), from: 'md', render: ({ createdAt }) => <When at={createdAt} relative /> },
                { key: 'actions', title: '', align: 'right', render: (endpoint) => <RowMenu name={endpoint.url} actions={mayWrite ? actionsOf(endpoint) : []} /> },
              ]}
            />
          )}
        </Query>
      </Panel>
      <Deliveries />
      {action && <Dialog action={action} onAction={setAction} />}
    </Page>
  );
}

const REFETCH = ['WebhookEndpoints'];

function Dialog({ action, onAction }: { readonly action: Action; readonly onAction: (action: Action | null) => void }) {
  const { t } = useTranslation();
  const close = () => onAction(null);
  if (action.kind === 'create') return <EndpointForm onSecret={(secret) => onAction({ kind: 'secret', secret })} onClose={close} />;
  if (action.kind === 'secret') return <SecretModal title={t('webhooks.secret')} secret={action.secret} onClose={close} />;
  if (action.kind === 'remove') return <ConfirmCommand danger document={RemoveWebhookEndpointDocument} input={{ id: action.endpoint.id }} title={t('webhooks.removeTitle')} text={t('webhooks.removeText')} confirm={t('common.remove')} refetch={REFETCH} onClose={close} />;
  return <RollSecret endpoint={action.endpoint} onSecret={(secret) => onAction({ kind: 'secret', secret })} onClose={close} />;
}

interface RollSecretProps {
  readonly endpoint: EndpointFieldsFragment;
  readonly onSecret: (secret: string) => void;
  readonly onClose: () => void;
}

function RollSecret({ endpoint, onSecret, onClose }: RollSecretProps) {
  const { t } = useTranslation();
  const [secret, setSecret] = useState<string | null>(null);
  const end = () => (secret === null ? onClose() : onSecret(secret));
  return <ConfirmCommand document={RollWebhookSecretDocument} input={{ id: endpoint.id }} title={t('webhooks.rollTitle')} text={t('webhooks.rollText')} confirm={t('webhooks.roll')} refetch={REFETCH} onDone={(value) => setSecret(value.secret)} onClose={end} />;
}
