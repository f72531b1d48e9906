import { Lock } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Outlet, useLocation } from 'react-router';
import { EmptyState } from '../components/states.tsx';
import type { PlaceGroup } from './places.ts';

interface GuardedProps {
  readonly base: string;
  readonly all: readonly PlaceGroup[];
  readonly permissions: ReadonlySet<string>;
}

/** Opens a page only to those whose menu has it. The api would answer nothing anyhow; this says so in words instead of errors. */
export function Guarded({ base, all, permissions }: GuardedProps) {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const [segment = ''] = pathname.slice(base.length + 1).split('/');
  const place = all.flatMap(({ places }) => places).find(({ path }) => path === segment);
  if (place && !permissions.has(place.permission)) return <EmptyState icon={Lock} title={t('guarded.title')} text={t('guarded.text')} />;
  return <Outlet />;
}
