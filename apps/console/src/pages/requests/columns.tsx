import { Anchor, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Amount, Count } from '../../components/amount.tsx';
import type { Column } from '../../components/data-table.tsx';
import { None } from '../../components/none.tsx';
import { When } from '../../components/when.tsx';
import { useLocale } from '../../format/locale.ts';
import { durationText } from '../../format/time.ts';
import type { RequestRowFragment } from '../../graphql/generated/types.ts';
import { OutcomeBadge } from './outcome-badge.tsx';

export const useRequestLink = (slug: string): ((row: Pick<RequestRowFragment, 'id'>) => string) => ({ id }) => `/o/${slug}/requests/${encodeURIComponent(id)}`;

export function useRequestColumns(slug: string): readonly Column<RequestRowFragment>[] {
  const { t } = useTranslation();
  const linkOf = useRequestLink(slug);
  return [
    {
      key: 'at',
      title: t('requests.settled'),
      render: (row) => (
        <Anchor component={Link} to={linkOf(row)} c="inherit" size="sm">
          <When at={row.settledAt} />
        </Anchor>
      ),
    },
    { key: 'model', title: t('common.model'), render: ({ model }) => <Text size="sm" fw={500} truncate maw={{ base: 130, sm: 220 }}>{model}</Text> },
    { key: 'key', title: t('common.apiKey'), from: 'lg', render: ({ apiKey, project }) => <KeyOf name={apiKey?.name} project={project?.name} /> },
    { key: 'outcome', title: t('requests.outcome'), from: 'sm', render: ({ outcome, status }) => <OutcomeBadge outcome={outcome} status={status} /> },
    { key: 'input', title: t('requests.input'), align: 'right', from: 'md', render: ({ inputTokens }) => <Count value={inputTokens} /> },
    { key: 'output', title: t('requests.output'), align: 'right', from: 'md', render: ({ outputTokens }) => <Count value={outputTokens} /> },
    { key: 'first', title: t('requests.firstToken'), align: 'right', from: 'lg', render: (row) => <FirstToken {...row} /> },
    { key: 'charge', title: t('requests.charge'), align: 'right', render: ({ charges }) => <Charges charges={charges} /> },
  ];
}

function KeyOf({ name, project }: { readonly name: string | undefined; readonly project: string | undefined }) {
  if (!name) return <None />;
  return (
    <Text size="sm" truncate maw={170}>
      {name} {project && <span className="quiet">· {project}</span>}
    </Text>
  );
}

function FirstToken({ admittedAt, firstTokenAt }: Pick<RequestRowFragment, 'admittedAt' | 'firstTokenAt'>) {
  const locale = useLocale();
  return firstTokenAt ? <span className="numeric">{durationText(Date.parse(firstTokenAt) - Date.parse(admittedAt), locale)}</span> : <None />;
}

export function Charges({ charges }: Pick<RequestRowFragment, 'charges'>) {
  if (charges.length === 0) return <None />;
  return (
    <Stack gap={0} align="flex-end">
      {charges.map(({ unit, amount }) => (
        <Amount key={unit} value={amount} unit={unit} />
      ))}
    </Stack>
  );
}
