import { useQuery } from '@apollo/client/react';
import { SegmentedControl, Skeleton } from '@mantine/core';
import { ChartNoAxesColumn } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { measureChoices, splitMeasure } from '../../charts/measures.ts';
import { UsageChart } from '../../charts/usage-chart.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { EmptyState, ErrorState } from '../../components/states.tsx';
import { UsageDocument } from '../../graphql/generated/usage.ts';
import type { UsageQuery } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';
import { Totals } from './totals.tsx';
import { UsageFilters } from './usage-filters.tsx';
import { useSeriesInput, useUsageQuestion } from './usage-question.ts';

export default function UsagePage() {
  const { t } = useTranslation();
  const { id, timeZone } = useOrganization();
  const question = useUsageQuestion();
  const series = useSeriesInput(question, timeZone);
  const lacksTag = question.by === 'TAG' && question.tagKey === null;
  const { data, previousData, error, refetch } = useQuery(UsageDocument, { variables: { organizationId: id, series }, skip: lacksTag });
  // Bars of the last question stay until those of the next are there, so that the page does not jump.
  const usage = (data ?? previousData)?.organization?.usageSeries;
  return (
    <Page title={t('usage.title')} description={t('usage.description', { timeZone })}>
      <UsageFilters question={question} />
      {lacksTag && <EmptyState icon={ChartNoAxesColumn} title={t('usage.chooseTag.title')} text={t('usage.chooseTag.text')} />}
      {!lacksTag && error && !usage && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!lacksTag && !error && !usage && <Skeleton height={330} radius="lg" />}
      {!lacksTag && usage && <Answer usage={usage} series={series} question={question} />}
    </Page>
  );
}

interface AnswerProps {
  readonly usage: NonNullable<UsageQuery['organization']>['usageSeries'];
  readonly series: ReturnType<typeof useSeriesInput>;
  readonly question: ReturnType<typeof useUsageQuestion>;
}

function Answer({ usage, series, question }: AnswerProps) {
  const { t } = useTranslation();
  const { timeZone } = useOrganization();
  if (usage.totals.length === 0) return <EmptyState icon={ChartNoAxesColumn} title={t('usage.empty.title')} text={t('usage.empty.text')} />;
  const choices = measureChoices(t, [...new Set(usage.totals.map(({ unit }) => unit))], true);
  const chosen = choices.some(({ value }) => value === question.measure) ? question.measure! : choices[0]!.value;
  return (
    <>
      <Panel
        title={t(`dimensions.${question.by}`)}
        actions={<SegmentedControl size="xs" aria-label={t('charts.measure')} data={choices} value={chosen} onChange={(measure) => question.set({ measure })} />}
      >
        <UsageChart title={t('usage.title')} usage={usage} from={series.from} until={series.until} timeZone={timeZone} height={280} {...splitMeasure(chosen)} />
      </Panel>
      <Panel flush title={t('usage.totals')}>
        <Totals totals={usage.totals} by={question.by} />
      </Panel>
    </>
  );
}
