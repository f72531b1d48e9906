import { Anchor, PinInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { auth } from '../api/auth.ts';
import { Entrance, EntranceForm } from './entrance.tsx';
import { useAuthProblem } from './problem.ts';

const CODE_DIGITS = 6;

interface SecondFactorProps {
  readonly onEnter: () => void;
  readonly onAgain: () => void;
}

/** The code of the authenticator app, or one of the recovery codes where the phone is gone. */
export function SecondFactor({ onEnter, onAgain }: SecondFactorProps) {
  const { t } = useTranslation();
  const explain = useAuthProblem();
  const [recovers, setRecovers] = useState(false);
  const [code, setCode] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (text: string): Promise<void> => {
    setBusy(true);
    const answer = await (recovers ? auth.verifyRecoveryCode(text.trim()) : auth.verifyCode(text));
    setBusy(false);
    setProblem(explain(answer));
    if (answer.ok) onEnter();
    else setCode('');
  };
  const change = (): void => {
    setRecovers(!recovers);
    setCode('');
    setProblem(null);
  };

  return (
    <Entrance title={t('secondFactor.title')} text={recovers ? t('secondFactor.recoveryText') : t('secondFactor.text')}>
      <EntranceForm submit={t('secondFactor.submit')} problem={problem} busy={busy} onSubmit={() => void submit(code)}>
        {recovers ? (
          <TextInput label={t('secondFactor.recoveryCode')} autoComplete="off" spellCheck={false} required autoFocus value={code} onChange={(event) => setCode(event.currentTarget.value)} />
        ) : (
          <PinInput length={CODE_DIGITS} type="number" oneTimeCode autoFocus value={code} onChange={setCode} onComplete={(text) => void submit(text)} aria-label={t('secondFactor.code')} getInputProps={(index) => ({ 'aria-label': t('secondFactor.digit', { number: index + 1 }) })} />
        )}
        <Anchor component="button" type="button" size="sm" ta="left" onClick={change}>
          {recovers ? t('secondFactor.useApp') : t('secondFactor.useRecovery')}
        </Anchor>
        <Anchor component="button" type="button" size="sm" ta="left" onClick={onAgain}>
          {t('secondFactor.again')}
        </Anchor>
      </EntranceForm>
    </Entrance>
  );
}
