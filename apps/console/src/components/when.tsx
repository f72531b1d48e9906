import { Tooltip } from '@mantine/core';
import { dateFormat } from '../format/formatters.ts';
import { dateTimeText, relativeText, shortDateTimeText } from '../format/time.ts';
import { useLocale } from '../format/locale.ts';
import { None } from './none.tsx';

interface WhenProps {
  readonly at: string | null | undefined;
  readonly relative?: boolean;
}

/** A moment in the reader's zone; the whole of it, with its zone, on hover and for a screen reader's title. */
export function When({ at, relative = false }: WhenProps) {
  const locale = useLocale();
  if (!at) return <None />;
  const whole = dateFormat(locale, { dateStyle: 'full', timeStyle: 'long' }).format(new Date(at));
  return (
    <Tooltip label={whole}>
      <time dateTime={at} className="numeric">
        {relative ? relativeText(at, locale) : shortDateTimeText(at, locale)}
      </time>
    </Tooltip>
  );
}

/** Date and time with seconds and year, as records need them. */
export function WholeTime({ at }: { readonly at: string | null | undefined }) {
  const locale = useLocale();
  return at ? (
    <time dateTime={at} className="numeric">
      {dateTimeText(at, locale)}
    </time>
  ) : (
    <None />
  );
}
