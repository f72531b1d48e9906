import { Anchor, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';
import { auth } from '../api/auth.ts';
import { Entrance, EntranceForm } from './entrance.tsx';
import { NewPassword } from './new-password.tsx';
import { useAuthProblem } from './problem.ts';

export default function AcceptInvitationPage() {
  const { t } = useTranslation();
  const explain = useAuthProblem();
  const [search] = useSearchParams();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);

  const submit = async (): Promise<void> => {
    setBusy(true);
    const answer = await auth.acceptInvitation(search.get('token') ?? '', name, password);
    setBusy(false);
    setProblem(explain(answer));
    setDone(answer.ok);
  };

  return (
    <Entrance title={t('invitation.title')} text={t('invitation.text')}>
      {done ? (
        <Text size="sm" role="status">
          {t('invitation.done')}
        </Text>
      ) : (
        <EntranceForm submit={t('invitation.submit')} problem={problem} busy={busy} onSubmit={() => void submit()}>
          <TextInput label={t('invitation.name')} autoComplete="name" required autoFocus maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <NewPassword value={password} onChange={setPassword} />
        </EntranceForm>
      )}
      <Anchor component={Link} to="/sign-in" size="sm">
        {t('forgot.back')}
      </Anchor>
    </Entrance>
  );
}
