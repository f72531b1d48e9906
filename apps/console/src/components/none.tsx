import { useTranslation } from 'react-i18next';

/** Nothing is there: a dash for eyes, a word for ears. */
export function None() {
  const { t } = useTranslation();
  return (
    <span className="quiet">
      <span aria-hidden="true">–</span>
      <span className="visually-hidden">{t('common.none')}</span>
    </span>
  );
}
