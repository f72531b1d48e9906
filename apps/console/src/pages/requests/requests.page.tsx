import { Badge, Button, Group } from '@mantine/core';
import { ListFilter } from 'lucide-react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { DataTable } from '../../components/data-table.tsx';
import { useKeysetRows } from '../../components/keyset-list.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { EmptyState, ErrorState } from '../../components/states.tsx';
import { RequestsDocument } from '../../graphql/generated/requests.ts';
import type { RequestsQuery } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';
import { useRequestColumns, useRequestLink } from './columns.tsx';
import { RequestFilters } from './filters.tsx';
import { useLiveRequests, withLiveRequests } from './live-requests.ts';
import { useRequestFilter } from './request-filter.ts';

const connectionOf = (answer: RequestsQuery) => answer.organization?.requests;

export default function RequestsPage() {
  const { t } = useTranslation();
  const { id, slug } = useOrganization();
  const filter = useRequestFilter();
  const columns = useRequestColumns(slug);
  const linkOf = useRequestLink(slug);
  const { rows, error, refetch, more } = useKeysetRows({ document: RequestsDocument, variables: { organizationId: id, filter: filter.value }, connectionOf });
  const live = useLiveRequests(id, filter.matches);
  const shown = useMemo(() => withLiveRequests(live, rows), [rows, live]);
  const empty = filter.isSet ? (
    <EmptyState
      icon={ListFilter}
      title={t('requests.noMatch.title')}
      text={t('requests.noMatch.text')}
      action={
        <Button variant="default" onClick={filter.clear}>
          {t('common.clearFilters')}
        </Button>
      }
    />
  ) : (
    <EmptyState title={t('requests.empty.title')} text={t('requests.empty.text')} />
  );
  return (
    <Page title={t('requests.title')} description={t('requests.description')}>
      <RequestFilters filter={filter} />
      <Panel
        flush
        title={t('requests.list')}
        actions={
          <Group gap={6} role="status">
            <Badge color="teal" variant="dot">
              {live.length > 0 ? t('requests.arrived', { count: live.length }) : t('requests.live')}
            </Badge>
          </Group>
        }
      >
        {error && !rows ? (
          <ErrorState error={error} onRetry={refetch} />
        ) : (
          <DataTable caption={t('requests.title')} columns={columns} rows={shown} keyOf={(row) => row.id} linkOf={linkOf} empty={empty} more={more} />
        )}
      </Panel>
    </Page>
  );
}
