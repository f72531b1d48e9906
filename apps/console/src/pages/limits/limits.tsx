import { Button, Group, Select, TextInput } from '@mantine/core';
import { Gauge, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Count } from '../../components/amount.tsx';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { None } from '../../components/none.tsx';
import { Panel } from '../../components/page.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { tell } from '../../components/told.ts';
import { RemoveLimitDocument, SetLimitDocument } from '../../graphql/generated/limits.ts';
import type { LimitFieldsFragment } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';
import { readSubject, SubjectName, SubjectSelect } from './subject.tsx';

const measures = ['requests', 'tokens', 'input_tokens', 'output_tokens', 'concurrency'] as const;
const windows = ['1s', '60s', '3600s', '86400s', 'day', 'week', 'month'] as const;
type Measure = (typeof measures)[number];
type Window = (typeof windows)[number];

export function Limits({ limits }: { readonly limits: readonly LimitFieldsFragment[] }) {
  const { t } = useTranslation();
  const mayWrite = useMay('limits.write');
  const [setting, setSetting] = useState(false);
  const [removing, setRemoving] = useState<LimitFieldsFragment | null>(null);
  const measureText = (measure: string): string => (measures.includes(measure as Measure) ? t(`measures.${measure as Measure}`) : measure);
  const windowText = (window: string): string => (windows.includes(window as Window) ? t(`windows.${window as Window}`) : window);
  const set = mayWrite && (
    <Button size="xs" leftSection={<Plus size={14} aria-hidden="true" />} onClick={() => setSetting(true)}>
      {t('limits.set')}
    </Button>
  );
  return (
    <Panel flush title={t('limits.list')} actions={set}>
      <DataTable
        caption={t('limits.list')}
        rows={limits}
        keyOf={({ id }) => id}
        empty={<EmptyState icon={Gauge} title={t('limits.empty.title')} text={t('limits.empty.text')} />}
        columns={[
          { key: 'subject', title: t('limits.for'), render: ({ subject }) => <SubjectName subject={subject} /> },
          { key: 'measure', title: t('limits.measure'), render: ({ measure }) => measureText(measure) },
          { key: 'window', title: t('limits.window'), from: 'sm', render: ({ measure, window }) => (measure === 'concurrency' ? <None /> : windowText(window)) },
          { key: 'used', title: t('limits.used'), align: 'right', from: 'md', render: ({ used }) => (used === null ? <None /> : <Count value={used} />) },
          { key: 'amount', title: t('limits.most'), align: 'right', render: ({ amount }) => <Count value={amount} /> },
          { key: 'actions', title: '', align: 'right', render: (limit) => <RowMenu name={limit.subject.name} actions={mayWrite ? [{ label: t('common.remove'), icon: Trash2, danger: true, run: () => setRemoving(limit) }] : []} /> },
        ]}
      />
      {setting && <SetLimit onClose={() => setSetting(false)} />}
      {removing && <ConfirmCommand danger document={RemoveLimitDocument} input={{ id: removing.id }} title={t('limits.removeTitle')} text={t('limits.removeText')} confirm={t('common.remove')} refetch={['Limits']} onClose={() => setRemoving(null)} />}
    </Panel>
  );
}

function SetLimit({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const command = useCommandForm({
    document: SetLimitDocument,
    initialValues: { subject: 'organization', measure: 'requests', window: '60s', amount: '', mode: 'hard' },
    validate: { amount: (amount: string) => (/^[1-9]\d{0,17}$/.test(amount.trim()) ? null : t('forms.whole')) },
    toInput: ({ subject, measure, window, amount, mode }) => ({ organizationId: id, subject: readSubject(subject), measure, window: measure === 'concurrency' ? 'none' : window, amount: amount.trim(), mode }),
    refetch: ['Limits'],
    onDone: () => {
      tell(t('common.saved'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t('limits.set')} submit={t('common.save')} command={command} onClose={onClose}>
      <SubjectSelect withEndUsers value={form.values.subject} onChange={(value) => form.setFieldValue('subject', value)} />
      <Group grow align="flex-start" gap="sm">
        <TextInput label={t('limits.most')} inputMode="numeric" required data-autofocus {...form.getInputProps('amount')} />
        <Select label={t('limits.measure')} allowDeselect={false} data={measures.map((value) => ({ value, label: t(`measures.${value}`) }))} {...form.getInputProps('measure')} />
      </Group>
      <Group grow align="flex-start" gap="sm">
        <Select label={t('limits.window')} allowDeselect={false} disabled={form.values.measure === 'concurrency'} data={windows.map((value) => ({ value, label: t(`windows.${value}`) }))} {...form.getInputProps('window')} />
        <Select label={t('limits.mode')} allowDeselect={false} data={[{ value: 'hard', label: t('limits.hard') }, { value: 'soft', label: t('limits.soft') }]} {...form.getInputProps('mode')} />
      </Group>
    </FormModal>
  );
}
