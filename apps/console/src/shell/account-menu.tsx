import { useApolloClient } from '@apollo/client/react';
import { Avatar, Group, Menu, Text, UnstyledButton, useMantineColorScheme, VisuallyHidden } from '@mantine/core';
import { Check, Languages, LogOut, Monitor, Moon, Sun, UserRound } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import { auth } from '../api/auth.ts';
import { chooseLanguage, languages, type Language } from '../i18n/i18n.ts';
import { useViewer } from '../session/viewer.tsx';
import classes from './menus.module.css';

const schemes = [
  ['light', Sun],
  ['dark', Moon],
  ['auto', Monitor],
] as const;

export function AccountMenu() {
  const { t, i18n } = useTranslation();
  const { person } = useViewer();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const name = person?.name ?? '';
  return (
    <Menu width="target" position="top-start" shadow="md">
      <Menu.Target>
        <UnstyledButton className={classes['target']}>
          <Group gap={10} wrap="nowrap">
            <Avatar name={name} color="initials" size={26} aria-hidden="true" />
            <div style={{ minWidth: 0 }}>
              <Text size="sm" fw={500} truncate>
                {name}
              </Text>
              <Text size="xs" className="quiet" truncate>
                {person?.email}
              </Text>
            </div>
            <VisuallyHidden>{t('shell.account')}</VisuallyHidden>
          </Group>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={Link} to="/profile" leftSection={<UserRound size={15} aria-hidden="true" />}>
          {t('shell.profile')}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>{t('shell.appearance')}</Menu.Label>
        {schemes.map(([scheme, Icon]) => (
          <Menu.Item key={scheme} leftSection={<Icon size={15} aria-hidden="true" />} rightSection={colorScheme === scheme && <Check size={14} />} onClick={() => setColorScheme(scheme)}>
            {t(`shell.scheme.${scheme}`)}
          </Menu.Item>
        ))}
        <Menu.Label>{t('shell.language')}</Menu.Label>
        {Object.entries(languages).map(([language, title]) => (
          <Menu.Item key={language} lang={language} leftSection={<Languages size={15} aria-hidden="true" />} rightSection={i18n.language === language && <Check size={14} />} onClick={() => void chooseLanguage(language as Language)}>
            {title}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <SignOutItem />
      </Menu.Dropdown>
    </Menu>
  );
}

function SignOutItem() {
  const { t } = useTranslation();
  const client = useApolloClient();
  const navigate = useNavigate();
  const signOut = async (): Promise<void> => {
    await auth.signOut();
    await client.clearStore();
    await navigate('/sign-in');
  };
  return (
    <Menu.Item leftSection={<LogOut size={15} aria-hidden="true" />} onClick={() => void signOut()}>
      {t('shell.signOut')}
    </Menu.Item>
  );
}
