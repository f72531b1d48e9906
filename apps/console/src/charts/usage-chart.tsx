import { Box, Group, Text } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { amountText, countText, shortAmount, shortCount } from '../format/amount.ts';
import { useLocale } from '../format/locale.ts';
import { bucketText } from '../format/time.ts';
import type { UsageSeriesFieldsFragment } from '../graphql/generated/types.ts';
import { chartOf, type Measure } from './series.ts';
import { StackedBars } from './stacked-bars.tsx';

interface UsageChartProps {
  readonly title: string;
  readonly usage: UsageSeriesFieldsFragment;
  readonly from: string;
  readonly until: string;
  readonly timeZone: string;
  readonly measure: Measure;
  readonly unit: string | undefined;
  readonly height?: number;
}

/** One measure of use over time, stacked by group. */
export function UsageChart({ title, usage, from, until, timeZone, measure, unit, height = 250 }: UsageChartProps) {
  const { t } = useTranslation();
  const locale = useLocale();
  const otherLabel = t('charts.other');
  const chart = useMemo(() => chartOf(usage, { from, until, timeZone, measure, unit, otherLabel }), [usage, from, until, timeZone, measure, unit, otherLabel]);
  const isMoney = measure === 'charge' && unit !== undefined;
  return (
    <Box component="figure" m={0}>
      <StackedBars
        title={title}
        chart={chart}
        height={height}
        labelOf={(at) => bucketText(at, usage.grain, locale, timeZone)}
        tickOf={(value) => (isMoney ? shortAmount(value, unit, locale) : shortCount(value, locale))}
        valueOf={(value) => (isMoney ? amountText(value, unit, locale) : countText(value, locale))}
      />
      <Group component="figcaption" gap="md" mt="sm" px={4}>
        {chart.series.map(({ name, label, color }) => (
          <Group key={name} gap={6} wrap="nowrap">
            <Box w={9} h={9} bg={color} style={{ borderRadius: 3 }} aria-hidden="true" />
            <Text size="xs" className="quiet">
              {label}
            </Text>
          </Group>
        ))}
      </Group>
    </Box>
  );
}
