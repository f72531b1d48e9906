import { AppShell, Box, Burger, Group, NavLink, ScrollArea, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Suspense, useEffect, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation } from 'react-router';
import { Waiting } from '../session/viewer.tsx';
import { AccountMenu } from './account-menu.tsx';
import { ImpersonationBanner } from './impersonation-banner.tsx';
import { OrganizationMenu } from './organization-menu.tsx';
import { PaletteButton } from './palette-button.tsx';
import type { Place, PlaceGroup } from './places.ts';
import classes from './shell.module.css';

interface ShellProps {
  readonly base: string;
  readonly groups: readonly PlaceGroup[];
  readonly children: ReactNode;
}

/** The frame of every page for people who are signed in: menu at the side, on a phone behind a button. */
export function Shell({ base, groups, children }: ShellProps) {
  const { t } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  useEffect(close, [pathname, close]);
  return (
    <AppShell layout="alt" header={{ height: { base: 52, sm: 0 } }} navbar={{ width: 236, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding={0} classNames={{ navbar: classes['navbar']!, header: classes['header']!, main: classes['main']! }}>
      <a href="#content" className="skip-link">
        {t('shell.skip')}
      </a>
      <AppShell.Header hiddenFrom="sm">
        <Group h="100%" px="md" gap="sm">
          <Burger opened={opened} onClick={toggle} size="sm" aria-label={t('shell.menu')} />
          <Text fw={600}>Kilotoken</Text>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar aria-label={t('shell.menu')}>
        <Group p="sm" gap="xs" wrap="nowrap">
          <Box flex={1} miw={0}>
            <OrganizationMenu />
          </Box>
          <Burger opened={opened} onClick={toggle} size="sm" hiddenFrom="sm" aria-label={t('shell.close')} />
        </Group>
        <Box px="sm" pb="sm">
          <PaletteButton base={base} groups={groups} />
        </Box>
        <ScrollArea flex={1} px="sm" type="never">
          <Stack gap="md" pb="md">
            {groups.map((group) => (
              <Box key={group.name}>
                <Text size="xs" fw={500} className="quiet" px={10} pb={4}>
                  {t(`groups.${group.name}`)}
                </Text>
                {group.places.map((place) => (
                  <PlaceLink key={place.path} place={place} base={base} pathname={pathname} />
                ))}
              </Box>
            ))}
          </Stack>
        </ScrollArea>
        <Box p="sm" className={classes['foot']}>
          <AccountMenu />
        </Box>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <ImpersonationBanner />
        <Box className={classes['content']}>
          <Suspense fallback={<Waiting label={t('common.loading')} />}>{children}</Suspense>
        </Box>
      </AppShell.Main>
    </AppShell>
  );
}

function PlaceLink({ place: { name, path, icon: Icon }, base, pathname }: { readonly place: Place; readonly base: string; readonly pathname: string }) {
  const { t } = useTranslation();
  const to = path === '' ? base : `${base}/${path}`;
  const isHere = path === '' ? pathname === base : pathname === to || pathname.startsWith(`${to}/`);
  return <NavLink component={Link} to={to} label={t(`places.${name}`)} leftSection={<Icon size={16} aria-hidden="true" />} active={isHere} aria-current={isHere ? 'page' : undefined} className={classes['place']} />;
}
