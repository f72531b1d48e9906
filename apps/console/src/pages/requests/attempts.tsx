import { useTranslation } from 'react-i18next';
import { DataTable } from '../../components/data-table.tsx';
import { None } from '../../components/none.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { useLocale } from '../../format/locale.ts';
import { durationText } from '../../format/time.ts';
import { OutcomeBadge } from './outcome-badge.tsx';
import type { RequestDetail } from './request.page.tsx';

/** Each lane that was tried, in order; a request that failed over has several. */
export function Attempts({ attempts }: Pick<RequestDetail, 'attempts'>) {
  const { t } = useTranslation();
  const locale = useLocale();
  return (
    <Panel flush title={t('attempts.title')}>
      <DataTable
        caption={t('attempts.title')}
        rows={attempts}
        keyOf={({ attempt }) => String(attempt)}
        empty={<EmptyState title={t('attempts.empty.title')} text={t('attempts.empty.text')} />}
        columns={[
          { key: 'attempt', title: t('attempts.attempt'), render: ({ attempt }) => attempt + 1 },
          { key: 'outcome', title: t('requests.outcome'), render: ({ outcome, status }) => <OutcomeBadge outcome={outcome} status={status} /> },
          { key: 'code', title: t('attempts.code'), from: 'sm', render: ({ errorCode }) => errorCode ?? <None /> },
          { key: 'time', title: t('attempts.duration'), align: 'right', render: ({ admittedAt, finishedAt }) => durationText(Date.parse(finishedAt) - Date.parse(admittedAt), locale) },
        ]}
      />
    </Panel>
  );
}
