import { useApolloClient } from '@apollo/client/react';
import { Text, Textarea } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { StartImpersonationDocument } from '../../graphql/generated/staff.ts';
import type { OrganizationNameFragment } from '../../graphql/generated/types.ts';

interface ImpersonateFormProps {
  readonly organization: OrganizationNameFragment;
  readonly onClose: () => void;
}

export function ImpersonateForm({ organization, onClose }: ImpersonateFormProps) {
  const { t } = useTranslation();
  const client = useApolloClient();
  const navigate = useNavigate();
  const enter = async (): Promise<void> => {
    await client.refetchQueries({ include: ['Viewer'] });
    await navigate(`/o/${organization.slug}`);
  };
  const command = useCommandForm({
    document: StartImpersonationDocument,
    initialValues: { reason: '' },
    validate: { reason: (reason: string) => (reason.trim() === '' ? t('forms.required') : null) },
    toInput: ({ reason }) => ({ organizationId: organization.id, reason: reason.trim() }),
    onDone: () => void enter(),
  });
  return (
    <FormModal title={t('impersonation.startTitle', { name: organization.name })} submit={t('impersonation.start')} command={command} onClose={onClose}>
      <Text size="sm">{t('impersonation.text')}</Text>
      <Textarea label={t('impersonation.reason')} required data-autofocus maxLength={500} {...command.form.getInputProps('reason')} />
    </FormModal>
  );
}
