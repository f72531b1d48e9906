import { Group, Kbd, Text, UnstyledButton } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { Search } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { PlaceGroup } from './places.ts';
import classes from './shell.module.css';

const Palette = lazy(() => import('./palette.tsx'));

/** Other systems write the key out. */
const isApple = /mac|iphone|ipad/i.test(navigator.platform);

/** Opens the palette by a click, or by ⌘K anywhere; its code is loaded then. */
export function PaletteButton({ base, groups }: { readonly base: string; readonly groups: readonly PlaceGroup[] }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  useHotkeys([['mod+K', () => setOpen(true)]], []);
  return (
    <>
      <UnstyledButton className={classes['find']} onClick={() => setOpen(true)} aria-keyshortcuts="Meta+K Control+K">
        <Group gap={10} wrap="nowrap">
          <Search size={15} aria-hidden="true" />
          <Text size="sm" flex={1}>
            {t('palette.title')}
          </Text>
          <Kbd size="xs" aria-hidden="true">
            {isApple ? '⌘K' : 'Ctrl K'}
          </Kbd>
        </Group>
      </UnstyledButton>
      {isOpen && (
        <Suspense>
          <Palette base={base} groups={groups} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
