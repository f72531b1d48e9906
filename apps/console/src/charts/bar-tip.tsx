import { Box, Group, Paper, Text } from '@mantine/core';
import { sumAmounts } from '../format/amount.ts';
import { exactKey, type Chart } from './series.ts';
import classes from './stacked-bars.module.css';

interface BarTipProps {
  readonly row: Chart['rows'][number];
  readonly chart: Chart;
  readonly label: string;
  readonly valueOf: (value: string) => string;
  readonly center: number;
  readonly width: number;
}

const GAP = 14;

/** The exact values of one bar, on the side of it that has more room. */
export function BarTip({ row, chart, label, valueOf, center, width }: BarTipProps) {
  const lines = chart.series.map((series) => ({ ...series, value: chart.exact.get(exactKey(row.at, series.name)) ?? '0' })).filter(({ value }) => value !== '0');
  const side = center > width / 2 ? { right: width - center + GAP } : { left: center + GAP };
  return (
    <Paper p="xs" shadow="md" className={classes['tip']} style={side}>
      <Line label={label} value={valueOf(sumAmounts(lines.map(({ value }) => value)))} strong />
      {lines.map(({ name, label: seriesLabel, color, value }) => (
        <Line key={name} label={seriesLabel} value={valueOf(value)} color={color} />
      ))}
    </Paper>
  );
}

interface LineProps {
  readonly label: string;
  readonly value: string;
  readonly color?: string;
  readonly strong?: boolean;
}

function Line({ label, value, color, strong = false }: LineProps) {
  return (
    <Group justify="space-between" gap="lg" wrap="nowrap">
      <Group gap={6} wrap="nowrap">
        {color && <Box w={8} h={8} style={{ borderRadius: 2, flexShrink: 0 }} bg={color} aria-hidden="true" />}
        <Text size="xs" fw={strong ? 600 : 400} className={strong ? '' : 'quiet'}>
          {label}
        </Text>
      </Group>
      <Text size="xs" fw={strong ? 600 : 400} className="numeric">
        {value}
      </Text>
    </Group>
  );
}
