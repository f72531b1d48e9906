import { Badge, Button, Stack, Text } from '@mantine/core';
import { UserCog, UserMinus, UserPlus, Users } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { KeysetList } from '../../components/keyset-list.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';
import { RemoveMemberDocument, TeamDocument } from '../../graphql/generated/team.ts';
import type { TeamQuery } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';
import { useViewer } from '../../session/viewer.tsx';
import { Invitations } from './invitations.tsx';
import { InviteForm, RoleForm } from './role-forms.tsx';

const connectionOf = (answer: TeamQuery) => answer.organization?.members;
export type Member = NonNullable<TeamQuery['organization']>['members']['nodes'][number];
type Action = { readonly kind: 'invite' } | { readonly kind: 'role' | 'remove'; readonly member: Member };

export default function TeamPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const { person } = useViewer();
  const mayWrite = useMay('members.write');
  const [action, setAction] = useState<Action | null>(null);
  const close = () => setAction(null);
  const invite = mayWrite && (
    <Button leftSection={<UserPlus size={16} aria-hidden="true" />} onClick={() => setAction({ kind: 'invite' })}>
      {t('team.invite')}
    </Button>
  );
  const actionsOf = (member: Member) => [
    { label: t('team.changeRole'), icon: UserCog, run: () => setAction({ kind: 'role', member }) },
    { label: t('common.remove'), icon: UserMinus, danger: true, run: () => setAction({ kind: 'remove', member }) },
  ];
  return (
    <Page title={t('team.title')} description={t('team.description')} actions={invite}>
      <Panel flush title={t('team.members')}>
        <KeysetList
          caption={t('team.members')}
          document={TeamDocument}
          variables={{ organizationId: id }}
          connectionOf={connectionOf}
          keyOf={(member) => member.person.id}
          empty={<EmptyState icon={Users} title={t('team.empty.title')} text={t('team.empty.text')} />}
          columns={[
            { key: 'name', title: t('common.name'), render: (member) => <MemberName member={member} isViewer={member.person.id === person?.id} /> },
            { key: 'role', title: t('team.role'), render: ({ role }) => <Badge>{t(`roles.${role}`)}</Badge> },
            { key: 'factor', title: t('team.factor'), from: 'sm', render: ({ twoFactorEnabled }) => (twoFactorEnabled ? t('common.yes') : <span className="quiet">{t('common.no')}</span>) },
            { key: 'since', title: t('team.since'), from: 'sm', render: ({ since }) => <When at={since} relative /> },
            { key: 'actions', title: '', align: 'right', render: (member) => <RowMenu name={member.person.name} actions={mayWrite ? actionsOf(member) : []} /> },
          ]}
        />
      </Panel>
      {mayWrite && <Invitations />}
      {action?.kind === 'invite' && <InviteForm onClose={close} />}
      {action?.kind === 'role' && <RoleForm member={action.member} onClose={close} />}
      {action?.kind === 'remove' && (
        <ConfirmCommand
          danger
          document={RemoveMemberDocument}
          input={{ organizationId: id, personId: action.member.person.id }}
          title={t('team.removeTitle', { name: action.member.person.name })}
          text={t('team.removeText')}
          confirm={t('common.remove')}
          refetch={['Team']}
          onClose={close}
        />
      )}
    </Page>
  );
}

function MemberName({ member: { person }, isViewer }: { readonly member: Member; readonly isViewer: boolean }) {
  const { t } = useTranslation();
  return (
    <Stack gap={0}>
      <Text size="sm" fw={500}>
        {person.name} {isViewer && <span className="quiet">{t('team.you')}</span>}
      </Text>
      <Text size="xs" className="quiet">
        {person.email}
      </Text>
    </Stack>
  );
}
