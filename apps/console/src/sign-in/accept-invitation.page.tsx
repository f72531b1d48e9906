import { Alert, Anchor, PasswordInput, Text, TextInput } from '@mantine/core';
import { CircleAlert } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';
import { auth, type AuthAnswer, type InvitationFacts } from '../api/auth.ts';
import { Entrance, EntranceForm } from './entrance.tsx';
import { NewPassword } from './new-password.tsx';
import { useAuthProblem } from './problem.ts';

export default function AcceptInvitationPage() {
  const { t } = useTranslation();
  const explain = useAuthProblem();
  const [search] = useSearchParams();
  const token = search.get('token') ?? '';
  const [found, setFound] = useState<AuthAnswer<InvitationFacts> | null>(null);
  const [done, setDone] = useState(false);
  const refused = found?.ok === false ? found : null;
  useEffect(() => {
    if (token !== '') void auth.lookUpInvitation(token).then(setFound);
  }, [token]);
  const title = found?.ok ? t('invitation.to', { name: found.value.organizationName }) : t('invitation.title');
  return (
    <Entrance title={title} {...(found?.ok && { text: found.value.email })}>
      {(refused || token === '') && (
        <Alert color="red" role="alert" icon={<CircleAlert size={18} aria-hidden="true" />} p="sm">
          {refused?.status === 429 || refused?.status === 0 ? explain(refused) : t('invitation.gone')}
        </Alert>
      )}
      {done && (
        <Text size="sm" role="status">
          {t('invitation.done')}
        </Text>
      )}
      {found?.ok && !done && <AcceptForm token={token} isKnown={found.value.isKnown} onDone={() => setDone(true)} />}
      <Anchor component={Link} to="/sign-in" size="sm">
        {t('forgot.back')}
      </Anchor>
    </Entrance>
  );
}

interface AcceptFormProps {
  readonly token: string;
  readonly isKnown: boolean;
  readonly onDone: () => void;
}

/** Whoever has an account proves it by its password; others choose a name and a password. */
function AcceptForm({ token, isKnown, onDone }: AcceptFormProps) {
  const { t } = useTranslation();
  const explain = useAuthProblem();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (): Promise<void> => {
    setBusy(true);
    const answer = await auth.acceptInvitation(token, name, password);
    setBusy(false);
    setProblem(explain(answer));
    if (answer.ok) onDone();
  };

  return (
    <EntranceForm submit={t('invitation.submit')} problem={problem} busy={busy} onSubmit={() => void submit()}>
      {isKnown ? (
        <PasswordInput label={t('signIn.password')} autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.currentTarget.value)} visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }} />
      ) : (
        <>
          <TextInput label={t('invitation.name')} autoComplete="name" required autoFocus maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <NewPassword value={password} onChange={setPassword} />
        </>
      )}
    </EntranceForm>
  );
}
