import { Radio, Stack, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { tell } from '../../components/told.ts';
import { InviteMemberDocument, SetMemberRoleDocument } from '../../graphql/generated/team.ts';
import type { Role } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';
import type { Member } from './team.page.tsx';

const customerRoles = ['OWNER', 'DEVELOPER', 'BILLING', 'VIEWER'] as const satisfies readonly Role[];
type CustomerRole = (typeof customerRoles)[number];

interface RoleChoiceProps {
  readonly value: string;
  readonly onChange: (role: string) => void;
}

/** Each role with what it may do. */
export function RoleChoice({ value, onChange }: RoleChoiceProps) {
  const { t } = useTranslation();
  return (
    <Radio.Group label={t('team.role')} value={value} onChange={onChange}>
      <Stack gap="xs" mt={6}>
        {customerRoles.map((role) => (
          <Radio key={role} value={role} label={t(`roles.${role}`)} description={t(`roleTexts.${role}`)} />
        ))}
      </Stack>
    </Radio.Group>
  );
}

export function InviteForm({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const command = useCommandForm({
    document: InviteMemberDocument,
    initialValues: { email: '', role: 'DEVELOPER' },
    validate: { email: (email: string) => (/^\S+@\S+$/.test(email.trim()) ? null : t('forms.email')) },
    toInput: ({ email, role }) => ({ organizationId: id, email: email.trim(), role: role as CustomerRole }),
    refetch: ['Invitations'],
    onDone: () => {
      tell(t('team.invited'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t('team.invite')} submit={t('team.send')} command={command} onClose={onClose}>
      <TextInput type="email" label={t('signIn.email')} required data-autofocus {...form.getInputProps('email')} />
      <RoleChoice value={form.values.role} onChange={(role) => form.setFieldValue('role', role)} />
    </FormModal>
  );
}

export function RoleForm({ member, onClose }: { readonly member: Member; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const command = useCommandForm({
    document: SetMemberRoleDocument,
    initialValues: { role: member.role as string },
    toInput: ({ role }) => ({ organizationId: id, personId: member.person.id, role: role as CustomerRole }),
    refetch: ['Team'],
    onDone: () => {
      tell(t('common.saved'));
      onClose();
    },
  });
  const { form } = command;
  return (
    <FormModal title={t('team.roleTitle', { name: member.person.name })} submit={t('common.save')} command={command} onClose={onClose}>
      <RoleChoice value={form.values.role} onChange={(role) => form.setFieldValue('role', role)} />
    </FormModal>
  );
}
