/** Intl's formatters, each made once: making one takes longer than many uses, and a page of charts and tables uses thousands. */
const known = new Map<string, unknown>();

const once = <Formatter>(kind: string, locale: string, options: object, make: () => Formatter): Formatter => {
  const key = `${kind} ${locale} ${JSON.stringify(options)}`;
  const formatter = (known.get(key) as Formatter | undefined) ?? make();
  known.set(key, formatter);
  return formatter;
};

export const numberFormat = (locale: string, options: Intl.NumberFormatOptions = {}): Intl.NumberFormat => once('number', locale, options, () => new Intl.NumberFormat(locale, options));
export const dateFormat = (locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => once('date', locale, options, () => new Intl.DateTimeFormat(locale, options));
export const relativeFormat = (locale: string): Intl.RelativeTimeFormat => once('relative', locale, {}, () => new Intl.RelativeTimeFormat(locale, { numeric: 'always' }));
