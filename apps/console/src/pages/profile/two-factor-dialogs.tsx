import { Button, Group, Modal, PinInput, Stack, Text } from '@mantine/core';
import { useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { renderSVG } from 'uqr';
import { auth, type AuthAnswer, type TwoFactorSetUp } from '../../api/auth.ts';
import { Problem } from '../../components/command-form.tsx';
import { Snippet } from '../../components/copy.tsx';
import { CurrentPassword } from './password-panel.tsx';
import { useAuthForm } from './use-auth-form.ts';
import classes from './two-factor-dialogs.module.css';

interface DialogProps {
  readonly onClose: () => void;
}

/** Password, then the code to scan with a first code as proof, then the recovery codes, which are shown once. */
export function SetUpTwoFactor({ onClose }: DialogProps) {
  const { t } = useTranslation();
  const [setUp, setSetUp] = useState<TwoFactorSetUp | null>(null);
  const [proven, setProven] = useState(false);
  if (setUp && proven) return <RecoveryCodes codes={setUp.backupCodes} onClose={onClose} />;
  if (setUp) return <Scan setUp={setUp} onProven={() => setProven(true)} onClose={onClose} />;
  return <AskPassword title={t('twoFactor.setUp')} submit={t('twoFactor.next')} send={auth.beginTwoFactor} onDone={setSetUp} onClose={onClose} />;
}

export function EndTwoFactor({ onClose }: DialogProps) {
  const { t } = useTranslation();
  return <AskPassword title={t('twoFactor.end')} submit={t('twoFactor.end')} send={auth.endTwoFactor} onDone={onClose} onClose={onClose} />;
}

export function RenewCodes({ onClose }: DialogProps) {
  const { t } = useTranslation();
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  if (codes) return <RecoveryCodes codes={codes} onClose={onClose} />;
  return <AskPassword title={t('twoFactor.renew')} submit={t('twoFactor.renew')} send={auth.renewRecoveryCodes} onDone={({ backupCodes }) => setCodes(backupCodes)} onClose={onClose} />;
}

interface AskPasswordProps<Answer> extends DialogProps {
  readonly title: string;
  readonly submit: string;
  readonly send: (password: string) => Promise<AuthAnswer<Answer>>;
  readonly onDone: (value: Answer) => void;
}

function AskPassword<Answer>({ title, submit: submitLabel, send, onDone, onClose }: AskPasswordProps<Answer>) {
  const [password, setPassword] = useState('');
  const { problem, busy, submit } = useAuthForm(() => send(password), onDone);
  return (
    <Dialog title={title} submit={submitLabel} problem={problem} busy={busy} onSubmit={submit} onClose={onClose}>
      <CurrentPassword value={password} onChange={setPassword} />
    </Dialog>
  );
}

interface ScanProps extends DialogProps {
  readonly setUp: TwoFactorSetUp;
  readonly onProven: () => void;
}

function Scan({ setUp, onProven, onClose }: ScanProps) {
  const { t } = useTranslation();
  const [code, setCode] = useState('');
  const { problem, busy, submit } = useAuthForm(() => auth.verifyCode(code), onProven);
  const secret = new URL(setUp.totpURI).searchParams.get('secret') ?? '';
  const picture = `data:image/svg+xml,${encodeURIComponent(renderSVG(setUp.totpURI, { border: 2 }))}`;
  return (
    <Dialog title={t('twoFactor.setUp')} submit={t('twoFactor.confirm')} problem={problem} busy={busy} onSubmit={submit} onClose={onClose}>
      <Text size="sm">{t('twoFactor.scan')}</Text>
      <img src={picture} alt={t('twoFactor.picture')} className={classes['picture']} />
      <Text size="sm" className="quiet">
        {t('twoFactor.byHand')}
      </Text>
      <Snippet label={t('twoFactor.byHand')} text={secret} />
      <Text size="sm">{t('twoFactor.enter')}</Text>
      <PinInput length={6} type="number" oneTimeCode value={code} onChange={setCode} aria-label={t('secondFactor.code')} getInputProps={(index) => ({ 'aria-label': t('secondFactor.digit', { number: index + 1 }) })} />
    </Dialog>
  );
}

function RecoveryCodes({ codes, onClose }: DialogProps & { readonly codes: readonly string[] }) {
  const { t } = useTranslation();
  return (
    <Modal opened title={t('twoFactor.codes')} onClose={onClose} closeOnClickOutside={false} closeOnEscape={false} withCloseButton={false}>
      <Stack gap="sm">
        <Text size="sm">{t('twoFactor.codesText')}</Text>
        <Snippet label={t('twoFactor.codes')} text={codes.join('\n')} />
        <Group justify="flex-end">
          <Button onClick={onClose}>{t('copy.kept')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

interface DialogFrameProps extends DialogProps {
  readonly title: string;
  readonly submit: string;
  readonly problem: string | null;
  readonly busy: boolean;
  readonly onSubmit: (event: FormEvent) => void;
  readonly children: ReactNode;
}

function Dialog({ title, submit, problem, busy, onSubmit, onClose, children }: DialogFrameProps) {
  const { t } = useTranslation();
  return (
    <Modal opened title={title} onClose={onClose} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <form onSubmit={onSubmit}>
        <Stack gap="sm">
          <Problem text={problem} />
          {children}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('common.cancel')}
            </Button>
            <Button type="submit" loading={busy}>
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
