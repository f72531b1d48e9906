import { Button, Group, PasswordInput, Stack } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { auth } from '../../api/auth.ts';
import { Problem } from '../../components/command-form.tsx';
import { Panel } from '../../components/page.tsx';
import { tell } from '../../components/told.ts';
import { NewPassword } from '../../sign-in/new-password.tsx';
import { useAuthForm } from './use-auth-form.ts';

export function PasswordPanel() {
  const { t } = useTranslation();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const { problem, busy, submit } = useAuthForm(
    () => auth.changePassword(current, next),
    () => {
      setCurrent('');
      setNext('');
      tell(t('profile.passwordChanged'));
    },
  );
  return (
    <Panel title={t('profile.password')}>
      <form onSubmit={submit}>
        <Stack gap="sm" maw={440}>
          <Problem text={problem} />
          <CurrentPassword value={current} onChange={setCurrent} />
          <NewPassword value={next} onChange={setNext} />
          <Group>
            <Button type="submit" variant="default" loading={busy}>
              {t('profile.changePassword')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

interface CurrentPasswordProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

export function CurrentPassword({ value, onChange }: CurrentPasswordProps) {
  const { t } = useTranslation();
  return (
    <PasswordInput
      label={t('profile.currentPassword')}
      autoComplete="current-password"
      required
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }}
    />
  );
}
