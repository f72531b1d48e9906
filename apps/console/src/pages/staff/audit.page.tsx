import { useTranslation } from 'react-i18next';
import { Page } from '../../components/page.tsx';
import { StaffAuditLogDocument } from '../../graphql/generated/audit.ts';
import type { StaffAuditLogQuery } from '../../graphql/generated/types.ts';
import { AuditList } from '../audit/audit-list.tsx';

const connectionOf = (answer: StaffAuditLogQuery) => answer.auditLog;

export default function StaffAuditPage() {
  const { t } = useTranslation();
  return (
    <Page title={t('audit.title')} description={t('audit.staffDescription')}>
      <AuditList document={StaffAuditLogDocument} scope={{}} connectionOf={connectionOf} withOrganization />
    </Page>
  );
}
