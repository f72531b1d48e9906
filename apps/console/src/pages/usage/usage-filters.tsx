import { useQuery } from '@apollo/client/react';
import { Group, SegmentedControl, Select } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { UsageFiltersDocument } from '../../graphql/generated/usage.ts';
import { useOrganization } from '../../session/organization.tsx';
import { dimensions, grainsOf, spans, type UsageQuestion } from './usage-question.ts';

export function UsageFilters({ question }: { readonly question: UsageQuestion }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const { data } = useQuery(UsageFiltersDocument, { variables: { organizationId: id } });
  const organization = data?.organization;
  const { span, grain, by, tagKey, model, project, set } = question;
  return (
    <Group gap="sm" align="flex-end" role="search" aria-label={t('common.filters')}>
      <SegmentedControl size="xs" aria-label={t('usage.span')} value={span} onChange={(value) => set({ span: value, grain: null })} data={spans.map((value) => ({ value, label: t(`spans.${value}`) }))} />
      <SegmentedControl size="xs" aria-label={t('usage.grain')} value={grain} onChange={(value) => set({ grain: value })} data={grainsOf(span).map((value) => ({ value, label: t(`grains.${value}`) }))} />
      <Select size="xs" w={140} allowDeselect={false} label={t('usage.by')} value={by} onChange={(value) => set({ by: value })} data={dimensions.map((value) => ({ value, label: t(`dimensions.${value}`) }))} />
      {by === 'TAG' && <Select size="xs" w={140} label={t('usage.tag')} value={tagKey} onChange={(value) => set({ tag: value })} data={organization?.usageFilters.tagKeys ?? []} nothingFoundMessage={t('usage.noTags')} />}
      <Select size="xs" w={190} clearable searchable label={t('common.model')} placeholder={t('common.all')} value={model} onChange={(value) => set({ model: value })} data={organization?.usageFilters.models ?? []} />
      <Select size="xs" w={170} clearable searchable label={t('common.project')} placeholder={t('common.all')} value={project} onChange={(value) => set({ project: value })} data={(organization?.projects.nodes ?? []).map(({ id: value, name }) => ({ value, label: name }))} />
    </Group>
  );
}
