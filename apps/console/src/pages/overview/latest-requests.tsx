import { useTranslation } from 'react-i18next';
import { DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/states.tsx';
import type { RequestRowFragment } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';
import { useRequestColumns, useRequestLink } from '../requests/columns.tsx';

export function LatestRequests({ rows }: { readonly rows: readonly RequestRowFragment[] | undefined }) {
  const { t } = useTranslation();
  const { slug } = useOrganization();
  return (
    <DataTable
      caption={t('overview.latest')}
      rows={rows}
      columns={useRequestColumns(slug)}
      keyOf={({ id }) => id}
      linkOf={useRequestLink(slug)}
      empty={<EmptyState title={t('requests.empty.title')} text={t('requests.empty.text')} />}
    />
  );
}
