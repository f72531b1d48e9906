import { useTranslation } from 'react-i18next';
import type en from '../messages/en.json';

type Names = (typeof en)['names'];

/** The reader's word for one of the api's own words, such as a class of tokens; a word without one stands as it is. */
export const useNames = (): (<Kind extends keyof Names>(kind: Kind, word: string) => string) => {
  const { t, i18n } = useTranslation();
  return (kind, word) => (i18n.exists(`names.${kind}.${word}`) ? (t as (key: string) => string)(`names.${kind}.${word}`) : word);
};
