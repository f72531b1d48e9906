import { useTranslation } from 'react-i18next';
import { WholeTime } from '../../components/when.tsx';
import { useLocale } from '../../format/locale.ts';
import { durationText } from '../../format/time.ts';
import type { RequestDetail } from './request.page.tsx';
import classes from './timeline.module.css';

/** When a request was admitted, answered first, answered whole and charged, with the time between. */
export function Timeline({ request }: { readonly request: RequestDetail }) {
  const { t } = useTranslation();
  const locale = useLocale();
  const moments = [
    { name: t('request.admitted'), at: request.admittedAt },
    { name: t('request.firstToken'), at: request.firstTokenAt },
    { name: t('request.finished'), at: request.finishedAt },
    { name: t('request.settled'), at: request.settledAt },
  ].filter((moment): moment is { name: string; at: string } => moment.at !== null);
  return (
    <ol className={classes['line']}>
      {moments.map(({ name, at }, index) => {
        const before = moments[index - 1];
        return (
          <li key={name}>
            <strong>{name}</strong>
            <WholeTime at={at} />
            {before && <span>{t('request.later', { time: durationText(Date.parse(at) - Date.parse(before.at), locale) })}</span>}
          </li>
        );
      })}
    </ol>
  );
}
