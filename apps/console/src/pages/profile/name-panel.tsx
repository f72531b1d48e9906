import { useApolloClient } from '@apollo/client/react';
import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { auth } from '../../api/auth.ts';
import { Problem } from '../../components/command-form.tsx';
import { Panel } from '../../components/page.tsx';
import { tell } from '../../components/told.ts';
import { useViewer } from '../../session/viewer.tsx';
import { useAuthForm } from './use-auth-form.ts';

export function NamePanel() {
  const { t } = useTranslation();
  const client = useApolloClient();
  const { person } = useViewer();
  const [name, setName] = useState(person?.name ?? '');
  const { problem, busy, submit } = useAuthForm(
    () => auth.updateName(name.trim()),
    () => {
      tell(t('common.saved'));
      void client.refetchQueries({ include: ['Viewer'] });
    },
  );
  return (
    <Panel title={t('profile.name')}>
      <form onSubmit={submit}>
        <Stack gap="sm" maw={440}>
          <Problem text={problem} />
          <TextInput label={t('common.name')} autoComplete="name" required maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Group>
            <Button type="submit" variant="default" loading={busy}>
              {t('common.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
