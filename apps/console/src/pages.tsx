import { lazy, Suspense, type ComponentType, type ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { matchPath, Navigate, Outlet, Route, Routes } from 'react-router';
import { SignedIn, Waiting } from './session/viewer.tsx';
import { AccountShell } from './shell/account-shell.tsx';
import { Home } from './shell/home.tsx';
import { OrganizationShell } from './shell/organization-shell.tsx';
import { StaffShell } from './shell/staff-shell.tsx';

interface PageModule {
  readonly default: ComponentType;
}
type Load = () => Promise<PageModule>;

/** Pages by their paths. A page's code is loaded when it is opened first. */
const publicPages: Readonly<Record<string, Load>> = {
  '/sign-in': () => import('./sign-in/sign-in.page.tsx'),
  '/forgot-password': () => import('./sign-in/forgot-password.page.tsx'),
  '/reset-password': () => import('./sign-in/reset-password.page.tsx'),
  '/accept-invitation': () => import('./sign-in/accept-invitation.page.tsx'),
};

const organizationPages: Readonly<Record<string, Load>> = {
  '/o/:slug': () => import('./pages/overview/overview.page.tsx'),
  '/o/:slug/usage': () => import('./pages/usage/usage.page.tsx'),
  '/o/:slug/requests': () => import('./pages/requests/requests.page.tsx'),
  '/o/:slug/requests/:id': () => import('./pages/requests/request.page.tsx'),
  '/o/:slug/playground': () => import('./pages/playground/playground.page.tsx'),
  '/o/:slug/api-keys': () => import('./pages/api-keys/api-keys.page.tsx'),
  '/o/:slug/projects': () => import('./pages/projects/projects.page.tsx'),
  '/o/:slug/webhooks': () => import('./pages/webhooks/webhooks.page.tsx'),
  '/o/:slug/service-tokens': () => import('./pages/tokens/tokens.page.tsx'),
  '/o/:slug/limits': () => import('./pages/limits/limits.page.tsx'),
  '/o/:slug/balance': () => import('./pages/balance/balance.page.tsx'),
  '/o/:slug/team': () => import('./pages/team/team.page.tsx'),
  '/o/:slug/audit-log': () => import('./pages/audit/audit.page.tsx'),
  '/o/:slug/settings': () => import('./pages/settings/settings.page.tsx'),
};

const staffPages: Readonly<Record<string, Load>> = {
  '/staff': () => import('./pages/staff/operations.page.tsx'),
  '/staff/organizations': () => import('./pages/staff/organizations.page.tsx'),
  '/staff/organizations/:slug': () => import('./pages/staff/organization.page.tsx'),
  '/staff/approvals': () => import('./pages/staff/approvals.page.tsx'),
  '/staff/lanes': () => import('./pages/staff/lanes.page.tsx'),
  '/staff/gateways': () => import('./pages/staff/gateways.page.tsx'),
  '/staff/queues': () => import('./pages/staff/queues.page.tsx'),
  '/staff/quarantine': () => import('./pages/staff/quarantine.page.tsx'),
  '/staff/reconciliation': () => import('./pages/staff/reconciliation.page.tsx'),
  '/staff/ledger': () => import('./pages/staff/ledger.page.tsx'),
  '/staff/audit-log': () => import('./pages/staff/audit.page.tsx'),
};

const accountPages: Readonly<Record<string, Load>> = { '/profile': () => import('./pages/profile/profile.page.tsx') };

const routesOf = (pages: Readonly<Record<string, Load>>): readonly ReactElement[] =>
  Object.entries(pages).map(([path, load]) => {
    const Page = lazy(load);
    return <Route key={path} path={path} element={<Page />} />;
  });

const routes = { public: routesOf(publicPages), organization: routesOf(organizationPages), staff: routesOf(staffPages), account: routesOf(accountPages) };

/** Begins to load the code of an address's page before anything is drawn. Returns whether the page is for people who are signed in. */
export const beginPage = (pathname: string): boolean => {
  const isOf = ([path]: readonly [string, Load]): boolean => matchPath(path, pathname) !== null;
  const [, load] = Object.entries({ ...publicPages, ...organizationPages, ...staffPages, ...accountPages }).find(isOf) ?? [];
  // A failure is told where the page is drawn, which asks for the code again.
  load?.().catch(() => undefined);
  return !Object.entries(publicPages).some(isOf);
};

export function Pages() {
  const { t } = useTranslation();
  return (
    <Suspense fallback={<Waiting label={t('common.loading')} />}>
      <Routes>
        {routes.public}
        <Route
          element={
            <SignedIn>
              <Outlet />
            </SignedIn>
          }
        >
          <Route index element={<Home />} />
          <Route path="/o/:slug" element={<OrganizationShell />}>{routes.organization}</Route>
          <Route path="/staff" element={<StaffShell />}>{routes.staff}</Route>
          <Route element={<AccountShell />}>{routes.account}</Route>
        </Route>
        <Route path="*" element={<Navigate replace to="/" />} />
      </Routes>
    </Suspense>
  );
}
