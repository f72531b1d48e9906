import { useTranslation } from 'react-i18next';

/**
 * The locale of numbers and dates. The browser's own regional form of the page's language wins: pages in English are read by
 * people in Dublin and in Delhi.
 */
const regionalLocale = (language: string, wanted: readonly string[]): string => wanted.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;

export const useLocale = (): string => {
  const { i18n } = useTranslation();
  return regionalLocale(i18n.resolvedLanguage ?? i18n.language ?? 'en', navigator.languages);
};
