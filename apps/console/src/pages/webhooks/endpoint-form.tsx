import { TagsInput, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { CreateWebhookEndpointDocument } from '../../graphql/generated/webhooks.ts';
import { useOrganization } from '../../session/organization.tsx';

/** Types of events as `docs/webhooks.md` lists them; others may be typed, and the api says whether they exist. */
const eventTypes = ['grant.issued', 'grant.low', 'grant.exhausted', 'grant.expired', 'budget.reached', 'budget.warned', 'key.created', 'key.rolled', 'key.revoked', 'webhook.disabled'];

interface EndpointFormProps {
  readonly onSecret: (secret: string) => void;
  readonly onClose: () => void;
}

export function EndpointForm({ onSecret, onClose }: EndpointFormProps) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const command = useCommandForm({
    document: CreateWebhookEndpointDocument,
    initialValues: { url: '', types: [] as string[] },
    validate: { url: (url: string) => (URL.canParse(url.trim()) ? null : t('forms.url')) },
    toInput: ({ url, types }) => ({ organizationId: id, url: url.trim(), types: types.length > 0 ? types : null }),
    refetch: ['WebhookEndpoints'],
    onDone: ({ secret }) => onSecret(secret),
  });
  const { form } = command;
  return (
    <FormModal title={t('webhooks.create')} submit={t('webhooks.create')} command={command} onClose={onClose}>
      <TextInput type="url" label={t('webhooks.url')} placeholder="https://" required data-autofocus {...form.getInputProps('url')} />
      <TagsInput label={t('webhooks.types')} placeholder={form.values.types.length === 0 ? t('webhooks.allTypes') : ''} data={eventTypes} {...form.getInputProps('types')} />
    </FormModal>
  );
}
