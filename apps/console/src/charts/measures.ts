import type { TFunction } from 'i18next';
import type { Measure } from './series.ts';

/** Measures that a chart can show. Spend stands under the name of its unit, each apart, since amounts of two units have no sum. */
export const measureChoices = (t: TFunction, units: readonly string[], withTokens: boolean): { readonly value: string; readonly label: string }[] => [
  ...units.map((unit) => ({ value: `charge ${unit}`, label: unit })),
  { value: 'requests', label: t('charts.requests') },
  ...(withTokens ? [{ value: 'tokens', label: t('charts.tokens') }] : []),
];

export const splitMeasure = (choice: string): { readonly measure: Measure; readonly unit: string | undefined } => {
  const [measure, unit] = choice.split(' ') as [Measure, string | undefined];
  return { measure, unit };
};
