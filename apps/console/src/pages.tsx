import { lazy, Suspense, type ComponentType } from 'react';
import { useTranslation } from 'react-i18next';
import { Navigate, Outlet, Route, Routes } from 'react-router';
import { SignedIn, Waiting } from './session/viewer.tsx';
import { AccountShell } from './shell/account-shell.tsx';
import { Home } from './shell/home.tsx';
import { OrganizationShell } from './shell/organization-shell.tsx';
import { StaffShell } from './shell/staff-shell.tsx';

type PageModule = { readonly default: ComponentType };

/** A page's code is loaded when it is opened first. */
const page = (load: () => Promise<PageModule>) => {
  const Page = lazy(load);
  return <Page />;
};

export function Pages() {
  const { t } = useTranslation();
  return (
    <Suspense fallback={<Waiting label={t('common.loading')} />}>
      <Routes>
        <Route path="/sign-in" element={page(() => import('./sign-in/sign-in.page.tsx'))} />
        <Route path="/forgot-password" element={page(() => import('./sign-in/forgot-password.page.tsx'))} />
        <Route path="/reset-password" element={page(() => import('./sign-in/reset-password.page.tsx'))} />
        <Route path="/accept-invitation" element={page(() => import('./sign-in/accept-invitation.page.tsx'))} />
        <Route
          element={
            <SignedIn>
              <Outlet />
            </SignedIn>
          }
        >
          <Route index element={<Home />} />
          {organizationRoutes}
          {staffRoutes}
          <Route element={<AccountShell />}>
            <Route path="/profile" element={page(() => import('./pages/profile/profile.page.tsx'))} />
          </Route>
        </Route>
        <Route path="*" element={<Navigate replace to="/" />} />
      </Routes>
    </Suspense>
  );
}

const organizationRoutes = (
  <Route path="/o/:slug" element={<OrganizationShell />}>
    <Route index element={page(() => import('./pages/overview/overview.page.tsx'))} />
    <Route path="usage" element={page(() => import('./pages/usage/usage.page.tsx'))} />
    <Route path="requests" element={page(() => import('./pages/requests/requests.page.tsx'))} />
    <Route path="requests/:id" element={page(() => import('./pages/requests/request.page.tsx'))} />
    <Route path="playground" element={page(() => import('./pages/playground/playground.page.tsx'))} />
    <Route path="api-keys" element={page(() => import('./pages/api-keys/api-keys.page.tsx'))} />
    <Route path="projects" element={page(() => import('./pages/projects/projects.page.tsx'))} />
    <Route path="webhooks" element={page(() => import('./pages/webhooks/webhooks.page.tsx'))} />
    <Route path="service-tokens" element={page(() => import('./pages/tokens/tokens.page.tsx'))} />
    <Route path="limits" element={page(() => import('./pages/limits/limits.page.tsx'))} />
    <Route path="balance" element={page(() => import('./pages/balance/balance.page.tsx'))} />
    <Route path="team" element={page(() => import('./pages/team/team.page.tsx'))} />
    <Route path="audit-log" element={page(() => import('./pages/audit/audit.page.tsx'))} />
    <Route path="settings" element={page(() => import('./pages/settings/settings.page.tsx'))} />
  </Route>
);

const staffRoutes = (
  <Route path="/staff" element={<StaffShell />}>
    <Route index element={page(() => import('./pages/staff/operations.page.tsx'))} />
    <Route path="organizations" element={page(() => import('./pages/staff/organizations.page.tsx'))} />
    <Route path="organizations/:slug" element={page(() => import('./pages/staff/organization.page.tsx'))} />
    <Route path="approvals" element={page(() => import('./pages/staff/approvals.page.tsx'))} />
    <Route path="lanes" element={page(() => import('./pages/staff/lanes.page.tsx'))} />
    <Route path="gateways" element={page(() => import('./pages/staff/gateways.page.tsx'))} />
    <Route path="queues" element={page(() => import('./pages/staff/queues.page.tsx'))} />
    <Route path="quarantine" element={page(() => import('./pages/staff/quarantine.page.tsx'))} />
    <Route path="reconciliation" element={page(() => import('./pages/staff/reconciliation.page.tsx'))} />
    <Route path="ledger" element={page(() => import('./pages/staff/ledger.page.tsx'))} />
    <Route path="audit-log" element={page(() => import('./pages/staff/audit.page.tsx'))} />
  </Route>
);
