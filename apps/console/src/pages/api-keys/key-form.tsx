import { useQuery } from '@apollo/client/react';
import { MultiSelect, Select, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { tell } from '../../components/told.ts';
import { ApiKeyChoicesDocument, CreateApiKeyDocument, UpdateApiKeyDocument } from '../../graphql/generated/api-keys.ts';
import type { ApiKeyFieldsFragment } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';

interface KeyFormProps {
  readonly apiKey: ApiKeyFieldsFragment | null;
  readonly onSecret: (secret: string) => void;
  readonly onClose: () => void;
}

export function KeyForm({ apiKey, onSecret, onClose }: KeyFormProps) {
  return apiKey ? <EditKey apiKey={apiKey} onClose={onClose} /> : <CreateKey onSecret={onSecret} onClose={onClose} />;
}

const useChoices = () => {
  const { id } = useOrganization();
  const { data } = useQuery(ApiKeyChoicesDocument, { variables: { organizationId: id } });
  return {
    projects: (data?.organization?.projects.nodes ?? []).filter(({ archivedAt }) => archivedAt === null).map((project) => ({ value: project.id, label: project.name })),
    models: (data?.organization?.models ?? []).map((model) => model.id),
  };
};

/** The end of the chosen day, where the reader is; null: never. */
const endOfDay = (date: string): string | null => (date === '' ? null : new Date(`${date}T23:59:59`).toISOString());

function CreateKey({ onSecret, onClose }: Omit<KeyFormProps, 'apiKey'>) {
  const { t } = useTranslation();
  const { projects, models } = useChoices();
  const only = projects.length === 1 ? projects[0]!.value : '';
  const command = useCommandForm({
    document: CreateApiKeyDocument,
    initialValues: { name: '', projectId: '', allowedModels: [] as string[], expiresAt: '' },
    validate: { name: (name: string) => (name.trim() === '' ? t('forms.required') : null), projectId: (project: string) => ((project || only) === '' ? t('forms.choose') : null) },
    toInput: ({ name, projectId, allowedModels, expiresAt }) => ({ name: name.trim(), projectId: projectId || only, allowedModels: allowedModels.length > 0 ? allowedModels : null, expiresAt: endOfDay(expiresAt) }),
    refetch: ['ApiKeys'],
    onDone: ({ secret }) => onSecret(secret),
  });
  const { form } = command;
  const project = form.getInputProps('projectId');
  return (
    <FormModal title={t('keys.create')} submit={t('keys.create')} command={command} onClose={onClose}>
      <TextInput label={t('common.name')} placeholder={t('keys.namePlaceholder')} required data-autofocus maxLength={200} {...form.getInputProps('name')} />
      <Select label={t('common.project')} required data={projects} allowDeselect={false} nothingFoundMessage={t('keys.noProject')} {...project} value={form.values.projectId || only || null} />
      <MultiSelect label={t('keys.models')} description={t('keys.modelsText')} placeholder={form.values.allowedModels.length === 0 ? t('keys.allModels') : ''} data={models} searchable clearable clearButtonProps={{ 'aria-label': t('common.clear') }} {...form.getInputProps('allowedModels')} />
      <TextInput type="date" label={t('common.expires')} description={t('keys.expiresText')} {...form.getInputProps('expiresAt')} />
    </FormModal>
  );
}

function EditKey({ apiKey, onClose }: { readonly apiKey: ApiKeyFieldsFragment; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { models } = useChoices();
  const command = useCommandForm({
    document: UpdateApiKeyDocument,
    initialValues: { name: apiKey.name, allowedModels: [...(apiKey.allowedModels ?? [])], expiresAt: apiKey.expiresAt?.slice(0, 10) ?? '' },
    validate: { name: (name: string) => (name.trim() === '' ? t('forms.required') : null) },
    toInput: ({ name, allowedModels, expiresAt }) => ({
      id: apiKey.id,
      name: name.trim(),
      ...(allowedModels.length > 0 && { allowedModels }),
      ...(expiresAt !== '' && expiresAt !== apiKey.expiresAt?.slice(0, 10) && { expiresAt: endOfDay(expiresAt) }),
    }),
    refetch: ['ApiKeys'],
    onDone: () => {
      tell(t('common.saved'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t('keys.editTitle', { name: apiKey.name })} submit={t('common.save')} command={command} onClose={onClose}>
      <TextInput label={t('common.name')} required data-autofocus maxLength={200} {...form.getInputProps('name')} />
      <MultiSelect label={t('keys.models')} description={t('keys.narrowText')} data={apiKey.allowedModels ?? models} searchable {...form.getInputProps('allowedModels')} />
      <TextInput type="date" label={t('common.expires')} description={t('keys.expiresText')} max={apiKey.expiresAt?.slice(0, 10)} {...form.getInputProps('expiresAt')} />
    </FormModal>
  );
}
