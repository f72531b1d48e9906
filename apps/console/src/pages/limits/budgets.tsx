import { Badge, Button, Group, MultiSelect, Progress, Select, Stack, Text, TextInput } from '@mantine/core';
import { Plus, Trash2, Wallet } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Amount } from '../../components/amount.tsx';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { Panel } from '../../components/page.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { tell } from '../../components/told.ts';
import { amountText, readAmount, shareOf } from '../../format/amount.ts';
import { numberFormat } from '../../format/formatters.ts';
import { useLocale } from '../../format/locale.ts';
import { RemoveBudgetDocument, SetBudgetDocument } from '../../graphql/generated/limits.ts';
import type { BudgetFieldsFragment } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';
import { readSubject, SubjectName, SubjectSelect } from './subject.tsx';

const periods = ['day', 'week', 'month'] as const;
const percents = ['50', '80', '100'] as const;
type Period = (typeof periods)[number];
const isPeriod = (period: string): period is Period => (periods as readonly string[]).includes(period);

interface BudgetsProps {
  readonly budgets: readonly BudgetFieldsFragment[];
  readonly units: readonly string[];
}

export function Budgets({ budgets, units }: BudgetsProps) {
  const { t } = useTranslation();
  const mayWrite = useMay('budgets.write');
  const [setting, setSetting] = useState(false);
  const [removing, setRemoving] = useState<BudgetFieldsFragment | null>(null);
  const set = mayWrite && (
    <Button size="xs" leftSection={<Plus size={14} aria-hidden="true" />} onClick={() => setSetting(true)}>
      {t('budgets.set')}
    </Button>
  );
  return (
    <Panel flush title={t('budgets.title')} actions={set}>
      <DataTable
        caption={t('budgets.title')}
        rows={budgets}
        keyOf={({ id }) => id}
        empty={<EmptyState icon={Wallet} title={t('budgets.empty.title')} text={t('budgets.empty.text')} />}
        columns={[
          { key: 'subject', title: t('limits.for'), render: ({ subject }) => <SubjectName subject={subject} /> },
          { key: 'used', title: t('budgets.used'), render: (budget) => <Used budget={budget} /> },
          { key: 'amount', title: t('common.amount'), align: 'right', from: 'xs', render: ({ amount, unit, period }) => <AmountPer amount={amount} unit={unit} period={period} /> },
          { key: 'alerts', title: t('budgets.alerts'), from: 'md', render: (budget) => <AlertPercents budget={budget} /> },
          { key: 'actions', title: '', align: 'right', render: (budget) => <RowMenu name={budget.subject.name} actions={mayWrite ? [{ label: t('common.remove'), icon: Trash2, danger: true, run: () => setRemoving(budget) }] : []} /> },
        ]}
      />
      {setting && <SetBudget units={units} onClose={() => setSetting(false)} />}
      {removing && <ConfirmCommand danger document={RemoveBudgetDocument} input={{ id: removing.id }} title={t('budgets.removeTitle')} text={t('budgets.removeText')} confirm={t('common.remove')} refetch={['Limits']} onClose={() => setRemoving(null)} />}
    </Panel>
  );
}

function Used({ budget: { used, amount, unit, left } }: { readonly budget: BudgetFieldsFragment }) {
  const { t } = useTranslation();
  const locale = useLocale();
  const share = shareOf(used, amount);
  return (
    <Stack gap={4} maw={240} miw={110}>
      <Progress value={share * 100} size={6} color={share >= 1 ? 'red' : share >= 0.8 ? 'orange' : undefined} aria-label={t('budgets.usedShare', { share: numberFormat(locale, { style: 'percent' }).format(share) })} />
      <Text size="xs" className="quiet">
        {t('budgets.left', { left: amountText(left, unit, locale), used: amountText(used, unit, locale) })}
      </Text>
    </Stack>
  );
}

function AmountPer({ amount, unit, period }: { readonly amount: string; readonly unit: string; readonly period: string }) {
  const { t } = useTranslation();
  return (
    <Stack gap={0} align="flex-end">
      <Amount value={amount} unit={unit} />
      <Text size="xs" className="quiet">
        {isPeriod(period) ? t(`periods.${period}`) : period}
      </Text>
    </Stack>
  );
}

function AlertPercents({ budget: { alertPercents, alerted } }: { readonly budget: BudgetFieldsFragment }) {
  const locale = useLocale();
  const percent = numberFormat(locale, { style: 'percent' });
  return (
    <Group gap={4}>
      {alertPercents.map((value) => (
        <Badge key={value} color={alerted.includes(value) ? 'orange' : 'gray'}>
          {percent.format(value / 100)}
        </Badge>
      ))}
    </Group>
  );
}

function SetBudget({ units, onClose }: { readonly units: readonly string[]; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const command = useCommandForm({
    document: SetBudgetDocument,
    initialValues: { subject: 'organization', unit: units[0] ?? 'USD', period: 'month', amount: '', alertPercents: [...percents] as string[] },
    validate: { amount: (amount: string) => (readAmount(amount) === null ? t('forms.amount') : null), unit: (unit: string) => (unit.trim() === '' ? t('forms.required') : null) },
    toInput: ({ subject, unit, period, amount, alertPercents }) => ({ organizationId: id, subject: readSubject(subject), unit, period, amount: readAmount(amount)!, alertPercents: alertPercents.map(Number) }),
    refetch: ['Limits'],
    onDone: () => {
      tell(t('common.saved'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t('budgets.set')} submit={t('common.save')} command={command} onClose={onClose}>
      <SubjectSelect value={form.values.subject} onChange={(value) => form.setFieldValue('subject', value)} {...(typeof form.errors['subject'] === 'string' && { error: form.errors['subject'] })} />
      <Group grow align="flex-start" gap="sm">
        <TextInput label={t('common.amount')} inputMode="decimal" required data-autofocus {...form.getInputProps('amount')} />
        <Select label={t('common.unit')} data={units.length > 0 ? [...units] : ['USD']} allowDeselect={false} {...form.getInputProps('unit')} />
        <Select label={t('budgets.per')} data={periods.map((value) => ({ value, label: t(`periods.${value}`) }))} allowDeselect={false} {...form.getInputProps('period')} />
      </Group>
      <MultiSelect label={t('budgets.alertAt')} description={t('budgets.alertText')} data={percents.map((value) => ({ value, label: `${value} %` }))} {...form.getInputProps('alertPercents')} />
    </FormModal>
  );
}
