import { Anchor, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { auth } from '../api/auth.ts';
import { Entrance, EntranceForm } from './entrance.tsx';
import { useAuthProblem } from './problem.ts';

/** Asks for a link by mail. The answer is the same whether or not the address is known, so that nobody learns who has an account. */
export default function ForgotPasswordPage() {
  const { t } = useTranslation();
  const explain = useAuthProblem();
  const [email, setEmail] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState(false);

  const submit = async (): Promise<void> => {
    setBusy(true);
    const answer = await auth.requestReset(email);
    setBusy(false);
    setProblem(explain(answer));
    setSent(answer.ok);
  };

  return (
    <Entrance title={t('forgot.title')} text={t('forgot.text')}>
      {sent ? (
        <Text size="sm" role="status">
          {t('forgot.sent', { email })}
        </Text>
      ) : (
        <EntranceForm submit={t('forgot.submit')} problem={problem} busy={busy} onSubmit={() => void submit()}>
          <TextInput label={t('signIn.email')} type="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.currentTarget.value)} />
        </EntranceForm>
      )}
      <Anchor component={Link} to="/sign-in" size="sm">
        {t('forgot.back')}
      </Anchor>
    </Entrance>
  );
}
