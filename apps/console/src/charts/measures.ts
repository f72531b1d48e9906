import type { TFunction } from 'i18next';
import type { Measure } from './series.ts';

/** What a chart can show: spend in each unit apart, since amounts of two units have no sum. */
export const measureChoices = (t: TFunction, units: readonly string[], withTokens: boolean): { readonly value: string; readonly label: string }[] => [
  ...units.map((unit) => ({ value: `charge ${unit}`, label: t('charts.spendIn', { unit }) })),
  { value: 'requests', label: t('charts.requests') },
  ...(withTokens ? [{ value: 'tokens', label: t('charts.tokens') }] : []),
];

export const splitMeasure = (choice: string): { readonly measure: Measure; readonly unit: string | undefined } => {
  const [measure, unit] = choice.split(' ') as [Measure, string | undefined];
  return { measure, unit };
};
