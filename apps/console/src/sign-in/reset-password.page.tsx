import { Anchor, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';
import { auth } from '../api/auth.ts';
import { Entrance, EntranceForm } from './entrance.tsx';
import { NewPassword } from './new-password.tsx';
import { useAuthProblem } from './problem.ts';

export default function ResetPasswordPage() {
  const { t } = useTranslation();
  const explain = useAuthProblem();
  const [search] = useSearchParams();
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);

  const submit = async (): Promise<void> => {
    setBusy(true);
    const answer = await auth.resetPassword(search.get('token') ?? '', password);
    setBusy(false);
    setProblem(explain(answer));
    setDone(answer.ok);
  };

  return (
    <Entrance title={t('reset.title')}>
      {done ? (
        <Text size="sm" role="status">
          {t('reset.done')}
        </Text>
      ) : (
        <EntranceForm submit={t('reset.submit')} problem={problem} busy={busy} onSubmit={() => void submit()}>
          <NewPassword value={password} onChange={setPassword} />
        </EntranceForm>
      )}
      <Anchor component={Link} to="/sign-in" size="sm">
        {t('forgot.back')}
      </Anchor>
    </Entrance>
  );
}
