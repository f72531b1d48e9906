import { useQuery } from '@apollo/client/react';
import { Combobox, Modal, ScrollArea, Text, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { Building2, Search, UserRound, type LucideIcon } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { OrganizationsDocument } from '../graphql/generated/staff.ts';
import { useStaffMay, useViewer } from '../session/viewer.tsx';
import type { PlaceGroup } from './places.ts';

const FOUND_MAX = 8;
const TYPED_MS = 200;

interface PaletteProps {
  readonly base: string;
  readonly groups: readonly PlaceGroup[];
  readonly onClose: () => void;
}

interface Goal {
  readonly to: string;
  readonly label: string;
  readonly icon: LucideIcon;
}

/** Goes anywhere by a few letters: pages of the menu, own organizations, and for staff any organization. A combobox, so that keys and screen readers know it. */
export default function Palette({ base, groups, onClose }: PaletteProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [query, setQuery] = useState('');
  // Its list takes the Escape key, which the dialog then does not see.
  const combobox = useCombobox({ opened: true, onDropdownClose: onClose });
  const pages = usePages(base, groups).filter(({ label }) => label.toLocaleLowerCase().includes(query.trim().toLocaleLowerCase()));
  const organizations = useOrganizations(query.trim());
  const sections = [
    { name: t('palette.pages'), goals: pages },
    { name: t('shell.organizations'), goals: organizations },
  ].filter(({ goals }) => goals.length > 0);
  const shown = sections.flatMap(({ goals }) => goals.map(({ to }) => to)).join();
  useEffect(() => {
    combobox.selectFirstOption();
  }, [shown, combobox]);
  const go = (to: string): void => {
    onClose();
    void navigate(to);
  };
  return (
    <Modal opened centered={false} yOffset={80} size={560} title={t('palette.title')} onClose={onClose} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <Combobox store={combobox} onOptionSubmit={go}>
        <Combobox.EventsTarget>
          <TextInput data-autofocus leftSection={<Search size={16} aria-hidden="true" />} aria-label={t('palette.title')} placeholder={t('palette.placeholder')} value={query} onChange={(event) => setQuery(event.currentTarget.value)} />
        </Combobox.EventsTarget>
        <ScrollArea.Autosize mah={380} mt="sm" type="scroll">
          <Combobox.Options aria-label={t('palette.title')}>
            {sections.map(({ name, goals }) => (
              <Combobox.Group key={name} label={name}>
                {goals.map((goal) => (
                  <Option key={goal.to} goal={goal} />
                ))}
              </Combobox.Group>
            ))}
            {sections.length === 0 && <Combobox.Empty>{t('palette.nothing')}</Combobox.Empty>}
          </Combobox.Options>
        </ScrollArea.Autosize>
      </Combobox>
    </Modal>
  );
}

function Option({ goal: { to, label, icon: Icon } }: { readonly goal: Goal }) {
  return (
    <Combobox.Option value={to} style={{ display: 'flex', alignItems: 'center', gap: 10 }}>
      <Icon size={16} aria-hidden="true" />
      <Text size="sm">{label}</Text>
    </Combobox.Option>
  );
}

const usePages = (base: string, groups: readonly PlaceGroup[]): readonly Goal[] => {
  const { t } = useTranslation();
  const places = groups.flatMap((group) => group.places);
  return [...places.map(({ name, path, icon }) => ({ to: path === '' ? base : `${base}/${path}`, label: t(`places.${name}`), icon })), { to: '/profile', label: t('shell.profile'), icon: UserRound }];
};

/** Own organizations by their names, and for staff all that the api finds. */
const useOrganizations = (query: string): readonly Goal[] => {
  const { memberships } = useViewer();
  const mayFind = useStaffMay('staff.organizations.read');
  const [search] = useDebouncedValue(query, TYPED_MS);
  const { data, previousData } = useQuery(OrganizationsDocument, { variables: { first: FOUND_MAX, search: search === '' ? null : search }, skip: !mayFind || query === '' });
  const own = memberships.map(({ organization }) => organization).filter(({ kind, name }) => kind === 'CUSTOMER' && name.toLocaleLowerCase().includes(query.toLocaleLowerCase()));
  const found = query === '' ? [] : ((data ?? previousData)?.organizations.nodes ?? []);
  return [
    ...own.map(({ slug, name }) => ({ to: `/o/${slug}`, label: name, icon: Building2 })),
    ...found.map(({ slug, name }) => ({ to: `/staff/organizations/${slug}`, label: name, icon: Building2 })),
  ];
};
