import { useTranslation } from 'react-i18next';
import { Page } from '../../components/page.tsx';
import { useViewer } from '../../session/viewer.tsx';
import { NamePanel } from './name-panel.tsx';
import { PasswordPanel } from './password-panel.tsx';
import { SessionsPanel } from './sessions-panel.tsx';
import { TwoFactorPanel } from './two-factor-panel.tsx';

export default function ProfilePage() {
  const { t } = useTranslation();
  const { person } = useViewer();
  return (
    <Page title={t('profile.title')} description={person?.email}>
      <NamePanel />
      <TwoFactorPanel />
      <PasswordPanel />
      <SessionsPanel />
    </Page>
  );
}
