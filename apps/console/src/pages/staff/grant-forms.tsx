import { Alert, Group, NumberInput, Select, Textarea, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { tell } from '../../components/told.ts';
import { amountText, readAmount } from '../../format/amount.ts';
import { useLocale } from '../../format/locale.ts';
import { AdjustGrantDocument, IssueGrantDocument, RefundGrantDocument } from '../../graphql/generated/staff.ts';
import type { GrantFieldsFragment, StaffOrganizationQuery } from '../../graphql/generated/types.ts';

const REFETCH = ['Grants', 'StaffOrganization', 'OrganizationApprovals', 'Approvals'];
const sources = ['prepaid', 'package', 'promotion', 'free_quota', 'allowance', 'commitment', 'sla_credit', 'credit_line'] as const;

interface IssueGrantProps {
  readonly organization: NonNullable<StaffOrganizationQuery['organization']>;
  readonly onClose: () => void;
}

/** Above the limit of its kind a grant waits for a second person; the word at the end says which it was. */
export function IssueGrant({ organization, onClose }: IssueGrantProps) {
  const { t } = useTranslation();
  const units = organization.balances.map(({ unit }) => unit);
  const command = useCommandForm({
    document: IssueGrantDocument,
    initialValues: { amount: '', unit: units[0] ?? 'USD', source: 'prepaid', reference: '', expiresAt: '', priority: 100 },
    validate: { amount: (amount: string) => (readAmount(amount) === null ? t('forms.amount') : null), unit: (unit: string) => (unit.trim() === '' ? t('forms.required') : null) },
    toInput: ({ amount, unit, source, reference, expiresAt, priority }) => ({
      organizationId: organization.id,
      amount: readAmount(amount)!,
      unit: unit.trim(),
      source,
      priority,
      ...(reference.trim() !== '' && { reference: reference.trim() }),
      ...(expiresAt !== '' && { expiresAt: new Date(`${expiresAt}T23:59:59`).toISOString() }),
    }),
    refetch: REFETCH,
    onDone: (value) => {
      tell(value.__typename === 'AwaitsApproval' ? t('grants.awaits') : t('grants.issued'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t('grants.issueTitle', { name: organization.name })} submit={t('grants.issue')} command={command} onClose={onClose}>
      <Group grow align="flex-start" gap="sm">
        <TextInput label={t('common.amount')} inputMode="decimal" required data-autofocus {...form.getInputProps('amount')} />
        <TextInput label={t('common.unit')} required {...form.getInputProps('unit')} />
      </Group>
      <Group grow align="flex-start" gap="sm">
        <Select label={t('grants.source')} allowDeselect={false} data={[...sources]} {...form.getInputProps('source')} />
        <NumberInput label={t('grants.priority')} allowDecimal={false} {...form.getInputProps('priority')} />
      </Group>
      <TextInput label={t('grants.reference')} maxLength={200} {...form.getInputProps('reference')} />
      <TextInput type="date" label={t('common.expires')} {...form.getInputProps('expiresAt')} />
      <Alert color="gray" p="xs">
        {t('grants.secondPerson')}
      </Alert>
    </FormModal>
  );
}

interface ChangeGrantProps {
  readonly kind: 'adjust' | 'refund';
  readonly grant: GrantFieldsFragment;
  readonly onClose: () => void;
}

export function ChangeGrant({ kind, grant, onClose }: ChangeGrantProps) {
  const { t } = useTranslation();
  const locale = useLocale();
  const command = useCommandForm({
    document: kind === 'adjust' ? AdjustGrantDocument : (RefundGrantDocument as unknown as typeof AdjustGrantDocument),
    initialValues: { amount: '', reason: '', reference: '' },
    validate: { amount: (amount: string) => (readAmount(amount) === null ? t('forms.amount') : null), reason: (reason: string) => (reason.trim() === '' ? t('forms.required') : null) },
    toInput: ({ amount, reason, reference }) => ({ grantId: grant.id, amount: readAmount(amount)!, reason: reason.trim(), ...(reference.trim() !== '' && { reference: reference.trim() }) }),
    refetch: REFETCH,
    onDone: (value) => {
      tell(value.__typename === 'AwaitsApproval' ? t('grants.awaits') : t('grants.changed'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t(`grantActions.${kind}`)} submit={t(`grantActions.${kind}`)} command={command} onClose={onClose}>
      <TextInput label={t('common.amount')} description={kind === 'adjust' ? t('grants.adjustText') : t('grants.most', { amount: amountText(grant.available, grant.unit, locale) })} inputMode="decimal" required data-autofocus {...form.getInputProps('amount')} />
      <Textarea label={t('grants.reason')} required maxLength={500} {...form.getInputProps('reason')} />
      <TextInput label={t('grants.reference')} maxLength={200} {...form.getInputProps('reference')} />
      <Alert color="gray" p="xs">
        {t('grants.secondPerson')}
      </Alert>
    </FormModal>
  );
}
