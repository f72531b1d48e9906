import { Group, Text } from '@mantine/core';
import { formatMoney, parseMoney, priceOf } from '@kilotoken/money';
import { useTranslation } from 'react-i18next';
import { amountText, countText } from '../../format/amount.ts';
import { useLocale } from '../../format/locale.ts';
import type { Model } from './conversation.tsx';
import type { Turn } from './use-chat.ts';

interface SpentProps {
  readonly turn: Turn;
  readonly model: Model | undefined;
  readonly isRunning: boolean;
}

/** The price of the pieces so far; the gateway's own count and charge replace it when the answer ends. */
const estimate = (pieces: number, model: Model | undefined): { readonly unit: string; readonly amount: string } | null => {
  const price = model?.prices.find((candidate) => candidate.class === 'output');
  return price ? { unit: price.currency, amount: formatMoney(priceOf(BigInt(pieces), parseMoney(price.amount), BigInt(price.per))) } : null;
};

export function Spent({ turn: { pieces, usage, stopped }, model, isRunning }: SpentProps) {
  const { t } = useTranslation();
  const locale = useLocale();
  const soFar = usage ? null : estimate(pieces, model);
  const charges = usage?.charges ?? (soFar ? [soFar] : []);
  const cost = charges.map(({ amount, unit }) => amountText(amount, unit, locale)).join(' + ');
  return (
    <Group gap="md" mt={4} className="quiet">
      <Text size="xs" className="numeric">
        {usage
          ? t('playground.counted', { input: countText(usage.inputTokens, locale), output: countText(usage.outputTokens, locale) })
          : t('playground.pieces', { output: countText(pieces, locale) })}
      </Text>
      {cost !== '' && (
        <Text size="xs" className="numeric">
          {usage ? cost : t('playground.about', { cost })}
        </Text>
      )}
      {stopped && <Text size="xs">{t('playground.stopped')}</Text>}
      {isRunning && (
        <Text size="xs" className="visually-hidden" role="status">
          {t('playground.running')}
        </Text>
      )}
    </Group>
  );
}
