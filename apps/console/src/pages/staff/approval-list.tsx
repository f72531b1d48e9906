import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { Badge, Button, Code, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCommand } from '../../api/command.ts';
import { Amount } from '../../components/amount.tsx';
import { Problem } from '../../components/command-form.tsx';
import type { Column } from '../../components/data-table.tsx';
import { Facts } from '../../components/facts.tsx';
import { KeysetList, type Connection } from '../../components/keyset-list.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { tell } from '../../components/told.ts';
import { When, WholeTime } from '../../components/when.tsx';
import { DecideApprovalDocument, OrganizationApprovalsDocument } from '../../graphql/generated/approvals.ts';
import type { ApprovalFieldsFragment, ApprovalStatus, OrganizationApprovalsQuery } from '../../graphql/generated/types.ts';
import { ActorName } from '../audit/audit-list.tsx';
import { useNames } from '../../i18n/names.ts';

const colors: Readonly<Record<ApprovalStatus, string>> = { PENDING: 'orange', APPROVED: 'teal', REJECTED: 'red', EXPIRED: 'gray', CANCELLED: 'gray' };
const ofOrganization = (answer: OrganizationApprovalsQuery) => answer.organization?.approvals;

export function OrganizationApprovals({ organizationId }: { readonly organizationId: string }) {
  return <ApprovalList document={OrganizationApprovalsDocument} variables={{ organizationId }} connectionOf={ofOrganization} />;
}

interface ApprovalListProps<Answer, Variables extends OperationVariables> {
  readonly document: TypedDocumentNode<Answer, Variables>;
  readonly variables: Omit<Variables, 'first' | 'after'>;
  readonly connectionOf: (answer: Answer) => Connection<ApprovalFieldsFragment> | null | undefined;
}

export function ApprovalList<Answer, Variables extends OperationVariables>({ document, variables, connectionOf }: ApprovalListProps<Answer, Variables>) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<ApprovalFieldsFragment | null>(null);
  return (
    <Panel flush>
      <KeysetList
        caption={t('approvals.title')}
        document={document}
        variables={variables}
        connectionOf={connectionOf}
        keyOf={({ id }) => id}
        columns={useColumns(setOpened)}
        empty={<EmptyState icon={ShieldCheck} title={t('approvals.empty.title')} text={t('approvals.empty.text')} />}
      />
      {opened && <Decision approval={opened} onClose={() => setOpened(null)} />}
    </Panel>
  );
}

function useColumns(open: (approval: ApprovalFieldsFragment) => void): readonly Column<ApprovalFieldsFragment>[] {
  const { t } = useTranslation();
  const nameOf = useNames();
  return [
    { key: 'at', title: t('approvals.requested'), render: ({ requestedAt }) => <When at={requestedAt} relative /> },
    { key: 'kind', title: t('approvals.kind'), render: ({ kind }) => <Text size="sm" fw={500}>{nameOf('approvalKinds', kind.replace('.', '_'))}</Text> },
    { key: 'organization', title: t('common.organization'), from: 'sm', render: ({ organization }) => organization.name },
    { key: 'by', title: t('approvals.by'), from: 'md', render: ({ requestedBy }) => <ActorName actor={requestedBy} /> },
    { key: 'amount', title: t('common.amount'), align: 'right', render: ({ amount, unit }) => <Amount value={amount} unit={unit} /> },
    { key: 'status', title: t('approvals.status'), render: ({ status }) => <Badge color={colors[status]}>{t(`approvalStates.${status}`)}</Badge> },
    {
      key: 'open',
      title: '',
      align: 'right',
      render: (approval) => (
        <Button size="compact-xs" variant={approval.mayDecide ? 'filled' : 'default'} onClick={() => open(approval)}>
          {approval.mayDecide ? t('approvals.decide') : t('approvals.look')}
        </Button>
      ),
    },
  ];
}

interface DecisionProps {
  readonly approval: ApprovalFieldsFragment;
  readonly onClose: () => void;
}

function Decision({ approval, onClose }: DecisionProps) {
  const { t } = useTranslation();
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [decide, busy] = useCommand(DecideApprovalDocument, ['Approvals', 'OrganizationApprovals', 'Grants', 'StaffOrganization']);
  const send = async (approve: boolean): Promise<void> => {
    const result = await decide({ id: approval.id, approve, ...(reason.trim() !== '' && { reason: reason.trim() }) });
    if (!result.ok) {
      setProblem(result.refusal.message);
      return;
    }
    tell(approve ? t('approvals.approved') : t('approvals.rejected'));
    onClose();
  };
  return (
    <Modal opened size="lg" title={approval.kind} onClose={onClose} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <Stack gap="md">
        <Problem text={problem} />
        <Facts
          facts={[
            { name: t('common.organization'), value: approval.organization.name },
            { name: t('common.amount'), value: <Amount value={approval.amount} unit={approval.unit} fw={600} /> },
            { name: t('approvals.by'), value: <ActorName actor={approval.requestedBy} /> },
            { name: t('approvals.requested'), value: <WholeTime at={approval.requestedAt} /> },
            { name: t('common.expires'), value: <WholeTime at={approval.expiresAt} /> },
            ...(approval.decidedBy ? [{ name: t('approvals.decidedBy'), value: <ActorName actor={approval.decidedBy} /> }] : []),
            ...(approval.reason ? [{ name: t('grants.reason'), value: approval.reason }] : []),
          ]}
        />
        <Code block tabIndex={0} aria-label={t('approvals.details')}>
          {JSON.stringify(approval.summary, null, 2)}
        </Code>
        {approval.mayDecide ? (
          <>
            <Textarea label={t('grants.reason')} maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
            <Group justify="flex-end" gap="xs">
              <Button variant="default" color="red" loading={busy} onClick={() => void send(false)}>
                {t('approvals.reject')}
              </Button>
              <Button loading={busy} onClick={() => void send(true)}>
                {t('approvals.approve')}
              </Button>
            </Group>
          </>
        ) : (
          approval.status === 'PENDING' && (
            <Text size="sm" className="quiet">
              {t('approvals.notYours')}
            </Text>
          )
        )}
      </Stack>
    </Modal>
  );
}
