import { useTranslation } from 'react-i18next';
import { Page } from '../../components/page.tsx';
import { AuditLogDocument } from '../../graphql/generated/audit.ts';
import type { AuditLogQuery } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';
import { AuditList } from './audit-list.tsx';

const connectionOf = (answer: AuditLogQuery) => answer.organization?.auditLog;

export default function AuditPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  return (
    <Page title={t('audit.title')} description={t('audit.description')}>
      <AuditList document={AuditLogDocument} scope={{ organizationId: id }} connectionOf={connectionOf} withOrganization={false} />
    </Page>
  );
}
