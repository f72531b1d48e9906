import { Select, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { tell } from '../../components/told.ts';
import { amountText, readAmount } from '../../format/amount.ts';
import { useLocale } from '../../format/locale.ts';
import { TransferGrantDocument } from '../../graphql/generated/balance.ts';
import type { GrantFieldsFragment, OrganizationNameFragment } from '../../graphql/generated/types.ts';

interface TransferGrantProps {
  readonly grant: GrantFieldsFragment;
  readonly organizations: readonly OrganizationNameFragment[];
  readonly onClose: () => void;
}

export function TransferGrant({ grant, organizations, onClose }: TransferGrantProps) {
  const { t } = useTranslation();
  const locale = useLocale();
  const command = useCommandForm({
    document: TransferGrantDocument,
    initialValues: { toOrganizationId: organizations[0]?.id ?? '', amount: '', reference: '' },
    validate: { amount: (amount: string) => (readAmount(amount) === null ? t('forms.amount') : null) },
    toInput: ({ toOrganizationId, amount, reference }) => ({ grantId: grant.id, toOrganizationId, amount: readAmount(amount)!, reference: reference.trim() === '' ? null : reference.trim() }),
    refetch: ['Balances', 'Grants'],
    onDone: (value) => {
      tell(value.__typename === 'AwaitsApproval' ? t('grants.awaits') : t('grants.transferred'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t('grants.transferTitle')} submit={t('grantActions.transfer')} command={command} onClose={onClose}>
      <Select label={t('grants.to')} allowDeselect={false} searchable data={organizations.map(({ id, name }) => ({ value: id, label: name }))} {...form.getInputProps('toOrganizationId')} />
      <TextInput label={t('common.amount')} description={t('grants.most', { amount: amountText(grant.available, grant.unit, locale) })} inputMode="decimal" required data-autofocus {...form.getInputProps('amount')} />
      <TextInput label={t('grants.reference')} maxLength={200} {...form.getInputProps('reference')} />
    </FormModal>
  );
}
