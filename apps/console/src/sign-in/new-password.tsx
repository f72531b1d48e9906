import { PasswordInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';

const PASSWORD_CHARACTERS_MIN = 10;

interface NewPasswordProps {
  readonly label?: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

export function NewPassword({ label, value, onChange }: NewPasswordProps) {
  const { t } = useTranslation();
  return (
    <PasswordInput
      label={label ?? t('newPassword.label')}
      description={t('newPassword.rule', { count: PASSWORD_CHARACTERS_MIN })}
      autoComplete="new-password"
      required
      minLength={PASSWORD_CHARACTERS_MIN}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      visibilityToggleButtonProps={{ 'aria-label': t('signIn.showPassword') }}
    />
  );
}
