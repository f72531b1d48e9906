import { Text, type TextProps } from '@mantine/core';
import { countText, formatAmount, isCurrency } from '../format/amount.ts';
import { useLocale } from '../format/locale.ts';

interface AmountProps extends TextProps {
  readonly value: string;
  readonly unit: string;
}

/** An exact amount, every digit of it; decimals past the usual ones are quieter. */
export function Amount({ value, unit, ...rest }: AmountProps) {
  const { head, tail, after } = formatAmount(value, unit, useLocale());
  // Of an amount below a cent the further decimals are all there is.
  const isSmall = !/[1-9]/.test(head);
  return (
    <Text span inherit className="numeric" {...rest}>
      {head}
      {tail !== '' && <span className={isSmall ? undefined : 'quiet'}>{tail}</span>}
      {after !== '' && <span className={isCurrency(unit) ? undefined : 'unit'}>{after}</span>}
    </Text>
  );
}

export function Count({ value }: { readonly value: string | number }) {
  return <span className="numeric">{countText(value, useLocale())}</span>;
}
