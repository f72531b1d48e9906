import { useTranslation } from 'react-i18next';
import type { AuthAnswer } from '../api/auth.ts';

const reasons = {
  INVALID_EMAIL_OR_PASSWORD: 'wrongPassword',
  INVALID_PASSWORD: 'wrongPassword',
  PASSWORD_WRONG: 'wrongPassword',
  INVALID_CODE: 'wrongCode',
  INVALID_BACKUP_CODE: 'wrongCode',
  INVALID_TWO_FACTOR_COOKIE: 'startAgain',
  INVALID_TOKEN: 'linkUsed',
  TOKEN_EXPIRED: 'linkUsed',
  PASSWORD_TOO_SHORT: 'shortPassword',
  PASSWORD_TOO_LONG: 'longPassword',
  PASSWORD_COMPROMISED: 'commonPassword',
  UNREACHABLE: 'unreachable',
} as const;

/** Tells a person why the sign-in's routes refused, and what to do. */
export function useAuthProblem(): (answer: AuthAnswer<unknown>) => string | null {
  const { t, i18n } = useTranslation();
  return (answer) => {
    if (answer.ok) return null;
    if (answer.status === 429) return t('authProblems.tooMany');
    const reason = reasons[answer.code as keyof typeof reasons];
    if (reason) return t(`authProblems.${reason}`);
    // The sign-in's own sentences are English.
    return answer.message === '' || i18n.resolvedLanguage !== 'en' ? t('authProblems.failed') : answer.message;
  };
}
