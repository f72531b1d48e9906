import { Badge, Text } from '@mantine/core';
import { Mail, MailX } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { InvitationsDocument, RevokeInvitationDocument } from '../../graphql/generated/team.ts';
import { useOrganization } from '../../session/organization.tsx';

export function Invitations() {
  const { t } = useTranslation();
  const { id: organizationId } = useOrganization();
  const [revoking, setRevoking] = useState<{ readonly id: string; readonly email: string } | null>(null);
  return (
    <Panel flush title={t('team.invitations')}>
      <Query document={InvitationsDocument} variables={{ organizationId }}>
        {({ organization }) => (
          <DataTable
            caption={t('team.invitations')}
            rows={organization?.invitations ?? []}
            keyOf={({ id }) => id}
            empty={<EmptyState icon={Mail} title={t('team.noInvitations.title')} text={t('team.noInvitations.text')} />}
            columns={[
              { key: 'email', title: t('signIn.email'), render: ({ email }) => <Text size="sm">{email}</Text> },
              { key: 'role', title: t('team.role'), render: ({ role }) => <Badge>{t(`roles.${role}`)}</Badge> },
              { key: 'expires', title: t('common.expires'), from: 'sm', render: ({ expiresAt }) => <When at={expiresAt} relative /> },
              { key: 'actions', title: '', align: 'right', render: ({ id, email }) => <RowMenu name={email} actions={[{ label: t('team.revokeInvitation'), icon: MailX, danger: true, run: () => setRevoking({ id, email }) }]} /> },
            ]}
          />
        )}
      </Query>
      {revoking && (
        <ConfirmCommand
          danger
          document={RevokeInvitationDocument}
          input={{ id: revoking.id }}
          title={t('team.revokeTitle', { email: revoking.email })}
          text={t('team.revokeText')}
          confirm={t('team.revokeInvitation')}
          refetch={['Invitations']}
          onClose={() => setRevoking(null)}
        />
      )}
    </Panel>
  );
}
