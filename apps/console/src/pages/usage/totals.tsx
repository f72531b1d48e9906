import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Amount, Count } from '../../components/amount.tsx';
import { DataTable, type Column } from '../../components/data-table.tsx';
import { None } from '../../components/none.tsx';
import { useLocale } from '../../format/locale.ts';
import { durationText } from '../../format/time.ts';
import type { UsageSeriesFieldsFragment } from '../../graphql/generated/types.ts';
import type { Dimension } from './usage-question.ts';

type Total = UsageSeriesFieldsFragment['totals'][number];

/** The figures of the chart, group by group, to the last digit. */
export function Totals({ totals, by }: { readonly totals: readonly Total[]; readonly by: Dimension }) {
  const { t } = useTranslation();
  return <DataTable caption={t('usage.totals')} rows={totals} columns={useColumns(by)} keyOf={({ group, unit }) => `${group} ${unit}`} empty={null} />;
}

function useColumns(by: Dimension): readonly Column<Total>[] {
  const { t } = useTranslation();
  return [
    { key: 'label', title: t(`dimensions.${by}`), render: ({ label }) => <Text size="sm" fw={500} truncate maw={{ base: 130, sm: 260 }}>{label === '' ? t('usage.unnamed') : label}</Text> },
    { key: 'requests', title: t('charts.requests'), align: 'right', render: ({ requests }) => <Count value={requests} /> },
    { key: 'errors', title: t('usage.errors'), align: 'right', from: 'md', render: ({ errors }) => <Count value={errors} /> },
    { key: 'input', title: t('usage.input'), align: 'right', from: 'sm', render: ({ inputTokens }) => <Count value={inputTokens} /> },
    { key: 'cached', title: t('usage.cached'), align: 'right', from: 'lg', render: ({ cachedTokens }) => <Count value={cachedTokens} /> },
    { key: 'output', title: t('usage.output'), align: 'right', from: 'sm', render: ({ outputTokens }) => <Count value={outputTokens} /> },
    { key: 'first', title: t('usage.firstToken'), align: 'right', from: 'lg', render: ({ p50FirstTokenMs }) => <Milliseconds value={p50FirstTokenMs} /> },
    { key: 'charge', title: t('charts.spend'), align: 'right', render: ({ charge, unit }) => <Amount value={charge} unit={unit} fw={500} /> },
  ];
}

function Milliseconds({ value }: { readonly value: number | null }) {
  const locale = useLocale();
  return value === null ? <None /> : <span className="numeric">{durationText(value, locale)}</span>;
}
