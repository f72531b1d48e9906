import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Problem, useCommandForm } from '../../components/command-form.tsx';
import { Facts } from '../../components/facts.tsx';
import { None } from '../../components/none.tsx';
import { Amount } from '../../components/amount.tsx';
import { Panel } from '../../components/page.tsx';
import { tell } from '../../components/told.ts';
import { readAmount } from '../../format/amount.ts';
import { SetAlertsDocument } from '../../graphql/generated/limits.ts';
import type { LimitsQuery } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';

type Settings = NonNullable<LimitsQuery['organization']>['alertSettings'];

interface AlertsProps {
  readonly settings: Settings;
  readonly units: readonly string[];
}

/** Where alerts go, and below which balance one is sent. */
export function Alerts({ settings, units }: AlertsProps) {
  const { t } = useTranslation();
  const mayWrite = useMay('alerts.write');
  return (
    <Panel title={t('alerts.title')}>
      <Text size="sm" className="quiet" mb="sm">
        {t('alerts.text')}
      </Text>
      {mayWrite ? <AlertForm settings={settings} units={units} /> : <Shown settings={settings} />}
    </Panel>
  );
}

function Shown({ settings: { email, lowBalances } }: { readonly settings: Settings }) {
  const { t } = useTranslation();
  return <Facts facts={[{ name: t('alerts.email'), value: email ?? <None /> }, ...lowBalances.map(({ unit, amount }) => ({ name: t('alerts.below', { unit }), value: <Amount value={amount} unit={unit} /> }))]} />;
}

function AlertForm({ settings, units }: AlertsProps) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const all = [...new Set([...units, ...settings.lowBalances.map(({ unit }) => unit)])];
  const amounts = Object.fromEntries(all.map((unit) => [`below ${unit}`, settings.lowBalances.find((low) => low.unit === unit)?.amount ?? '']));
  const amountRule = (text: string) => (text.trim() === '' || readAmount(text) !== null ? null : t('forms.amount'));
  const { form, problem, busy, submit } = useCommandForm({
    document: SetAlertsDocument,
    initialValues: { email: settings.email ?? '', ...amounts } as Record<string, string>,
    validate: Object.fromEntries(all.map((unit) => [`below ${unit}`, amountRule])),
    toInput: (values) => ({
      organizationId: id,
      email: values['email']!.trim() === '' ? null : values['email']!.trim(),
      lowBalances: all.flatMap((unit) => {
        const amount = readAmount(values[`below ${unit}`] ?? '');
        return amount === null ? [] : [{ unit, amount }];
      }),
    }),
    refetch: ['Limits'],
    onDone: () => tell(t('common.saved')),
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm" maw={560}>
        <Problem text={problem} />
        <TextInput type="email" label={t('alerts.email')} autoComplete="email" {...form.getInputProps('email')} />
        <Group grow align="flex-start" gap="sm">
          {all.map((unit) => (
            <TextInput key={unit} label={t('alerts.below', { unit })} inputMode="decimal" {...form.getInputProps(`below ${unit}`)} />
          ))}
        </Group>
        <Group>
          <Button type="submit" loading={busy}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
