import { Button, Group, Select, Stack, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Problem, useCommandForm } from '../../components/command-form.tsx';
import { Facts } from '../../components/facts.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { tell } from '../../components/told.ts';
import { UpdateOrganizationDocument } from '../../graphql/generated/settings.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';

export default function SettingsPage() {
  const { t } = useTranslation();
  const { slug, name, timeZone } = useOrganization();
  const mayWrite = useMay('organization.write');
  return (
    <Page title={t('settings.title')} description={t('settings.description')}>
      <Panel title={t('settings.organization')}>
        {mayWrite ? (
          <OrganizationForm />
        ) : (
          <Facts
            facts={[
              { name: t('common.name'), value: name },
              { name: t('settings.slug'), value: slug },
              { name: t('settings.timeZone'), value: timeZone },
            ]}
          />
        )}
      </Panel>
    </Page>
  );
}

function OrganizationForm() {
  const { t } = useTranslation();
  const { id, slug, name, timeZone } = useOrganization();
  const zones = [...new Set([timeZone, 'UTC', ...Intl.supportedValuesOf('timeZone')])];
  const { form, problem, busy, submit } = useCommandForm({
    document: UpdateOrganizationDocument,
    initialValues: { name, timeZone },
    validate: { name: (text: string) => (text.trim() === '' ? t('forms.required') : null) },
    toInput: (values) => ({ organizationId: id, name: values.name.trim(), timeZone: values.timeZone }),
    onDone: () => tell(t('common.saved')),
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm" maw={440}>
        <Problem text={problem} />
        <TextInput label={t('settings.slug')} description={t('settings.slugText')} value={slug} readOnly variant="filled" />
        <TextInput label={t('common.name')} required maxLength={200} {...form.getInputProps('name')} />
        <Select label={t('settings.timeZone')} description={t('settings.timeZoneText')} searchable allowDeselect={false} data={zones} limit={100} {...form.getInputProps('timeZone')} />
        <Group>
          <Button type="submit" loading={busy}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
