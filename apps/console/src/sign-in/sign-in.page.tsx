import { useApolloClient } from '@apollo/client/react';
import { Anchor, PasswordInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { auth } from '../api/auth.ts';
import { Entrance, EntranceForm } from './entrance.tsx';
import { useAuthProblem } from './problem.ts';
import { SecondFactor } from './second-factor.tsx';

/** Only a path of this console may follow a sign-in; another site's address in the link may not. */
const safeNext = (next: string | null): string => (next?.startsWith('/') && !next.startsWith('//') && !next.startsWith('/\\') ? next : '/');

export default function SignInPage() {
  const { t } = useTranslation();
  const client = useApolloClient();
  const navigate = useNavigate();
  const [search] = useSearchParams();
  const explain = useAuthProblem();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [needsCode, setNeedsCode] = useState(false);

  const enter = async (): Promise<void> => {
    await client.clearStore();
    await navigate(safeNext(search.get('next')), { replace: true });
  };
  const submit = async (): Promise<void> => {
    setBusy(true);
    const answer = await auth.signIn(email, password);
    setBusy(false);
    setProblem(explain(answer));
    if (!answer.ok) return;
    if (answer.value.twoFactorRedirect) setNeedsCode(true);
    else await enter();
  };

  if (needsCode) return <SecondFactor onEnter={() => void enter()} onAgain={() => setNeedsCode(false)} />;
  return (
    <Entrance title={t('signIn.title')} text={t('signIn.text')}>
      <EntranceForm submit={t('signIn.submit')} problem={problem} busy={busy} onSubmit={() => void submit()}>
        <TextInput label={t('signIn.email')} type="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.currentTarget.value)} />
        <PasswordInput label={t('signIn.password')} autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.currentTarget.value)} visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
        <Anchor component={Link} to="/forgot-password" size="sm">
          {t('signIn.forgot')}
        </Anchor>
      </EntranceForm>
    </Entrance>
  );
}
