import { Avatar, Group, Menu, Text, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { Check, ChevronsUpDown, Headset } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link, useMatch } from 'react-router';
import { useViewer, type OrganizationName } from '../session/viewer.tsx';
import classes from './menus.module.css';

/** Which organization is open, and a way to the others; staff find their own area here too. */
export function OrganizationMenu() {
  const { t } = useTranslation();
  const slug = useMatch('/o/:slug/*')?.params.slug;
  const { memberships, impersonating, staffRole } = useViewer();
  const own = memberships.map(({ organization }) => organization).filter(({ kind }) => kind === 'CUSTOMER');
  const all = impersonating ? [impersonating, ...own] : own;
  const open = all.find((organization) => organization.slug === slug);
  const title = open?.name ?? slug ?? (staffRole ? t('shell.staff') : (own[0]?.name ?? t('shell.organizations')));
  return (
    <Menu width="target" position="bottom-start" shadow="md">
      <Menu.Target>
        <UnstyledButton className={classes['target']}>
          <Group gap={10} wrap="nowrap">
            <Initial name={title} />
            <Text size="sm" fw={600} truncate flex={1}>
              {title}
            </Text>
            <VisuallyHidden>{t('shell.switch')}</VisuallyHidden>
            <ChevronsUpDown size={14} className="quiet" aria-hidden="true" />
          </Group>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {all.length > 0 && <Menu.Label>{t('shell.organizations')}</Menu.Label>}
        {all.map((organization) => (
          <OrganizationItem key={organization.id} organization={organization} isOpen={organization.slug === slug} />
        ))}
        {staffRole && all.length > 0 && <Menu.Divider />}
        {staffRole && (
          <Menu.Item component={Link} to="/staff" leftSection={<Headset size={16} aria-hidden="true" />} rightSection={slug === undefined && <Check size={14} />}>
            {t('shell.staff')}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

function OrganizationItem({ organization: { slug, name }, isOpen }: { readonly organization: OrganizationName; readonly isOpen: boolean }) {
  return (
    <Menu.Item component={Link} to={`/o/${slug}`} leftSection={<Initial name={name} size={20} />} rightSection={isOpen && <Check size={14} />}>
      <Text size="sm" truncate>
        {name}
      </Text>
    </Menu.Item>
  );
}

const Initial = ({ name, size = 26 }: { readonly name: string; readonly size?: number }) => (
  <Avatar name={name} size={size} radius="sm" color="iris" variant="filled" aria-hidden="true">
    {[...name][0]?.toUpperCase()}
  </Avatar>
);
