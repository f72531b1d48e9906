import { useQuery } from '@apollo/client/react';
import { Button, Group, Select, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { UsageFiltersDocument } from '../../graphql/generated/usage.ts';
import { useOrganization } from '../../session/organization.tsx';
import { outcomes } from './outcome-badge.tsx';
import type { OpenFilter } from './request-filter.ts';

export function RequestFilters({ filter }: { readonly filter: OpenFilter }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const { data } = useQuery(UsageFiltersDocument, { variables: { organizationId: id } });
  const organization = data?.organization;
  return (
    <Group gap="xs" align="flex-end" role="search" aria-label={t('common.filters')}>
      <Select size="xs" w={190} clearable searchable label={t('common.model')} placeholder={t('common.all')} data={organization?.usageFilters.models ?? []} value={filter.get('model')} onChange={(value) => filter.set('model', value)} />
      <Select size="xs" w={170} clearable searchable label={t('common.project')} placeholder={t('common.all')} data={(organization?.projects.nodes ?? []).map((project) => ({ value: project.id, label: project.name }))} value={filter.get('project')} onChange={(value) => filter.set('project', value)} />
      <Select size="xs" w={150} clearable label={t('requests.outcome')} placeholder={t('common.all')} data={outcomes.map((value) => ({ value, label: t(`outcomes.${value}`) }))} value={filter.get('outcome')} onChange={(value) => filter.set('outcome', value)} />
      <TextInput size="xs" type="date" label={t('common.from')} value={filter.get('from') ?? ''} onChange={(event) => filter.set('from', event.currentTarget.value)} />
      <TextInput size="xs" type="date" label={t('common.until')} value={filter.get('until') ?? ''} onChange={(event) => filter.set('until', event.currentTarget.value)} />
      {filter.isSet && (
        <Button size="xs" variant="subtle" onClick={filter.clear}>
          {t('common.clearFilters')}
        </Button>
      )}
    </Group>
  );
}
