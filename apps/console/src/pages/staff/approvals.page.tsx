import { SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Page } from '../../components/page.tsx';
import { ApprovalsDocument } from '../../graphql/generated/approvals.ts';
import type { ApprovalsQuery, ApprovalStatus } from '../../graphql/generated/types.ts';
import { ApprovalList } from './approval-list.tsx';

const statuses = ['PENDING', 'APPROVED', 'REJECTED', 'EXPIRED'] as const satisfies readonly ApprovalStatus[];
const connectionOf = (answer: ApprovalsQuery) => answer.approvals;

export default function ApprovalsPage() {
  const { t } = useTranslation();
  const [status, setStatus] = useState<ApprovalStatus>('PENDING');
  return (
    <Page
      title={t('approvals.title')}
      description={t('approvals.description')}
      actions={<SegmentedControl size="xs" aria-label={t('approvals.status')} value={status} onChange={setStatus} data={statuses.map((value) => ({ value, label: t(`approvalStates.${value}`) }))} />}
    >
      <ApprovalList document={ApprovalsDocument} variables={{ status }} connectionOf={connectionOf} />
    </Page>
  );
}
