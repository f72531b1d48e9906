import { expect } from '@jest/globals';
import { settled, type ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

const reading = ['Overview', 'Usage', 'Requests', 'Projects', 'Limits and budgets', 'Balance and grants', 'Team', 'Settings'];
const operating = ['Operations', 'Lanes', 'Gateways', 'Queues', 'Quarantine', 'Reconciliation'];

/** Each role with the pages in its menu, and an address that is not for it. */
const roles: readonly (readonly [string, readonly string[], string | null])[] = [
  ['owner', [...reading, 'Playground', 'API keys', 'Webhooks', 'Service tokens', 'Audit log'], '/staff/lanes'],
  ['developer', [...reading, 'Playground', 'API keys', 'Webhooks', 'Service tokens'], '/o/demo/audit-log'],
  ['billing', [...reading, 'Audit log'], '/o/demo/api-keys'],
  ['viewer', reading, '/o/demo/playground'],
  ['admin', ['Organizations', 'Approvals', ...operating, 'Ledger', 'Audit log'], null],
  ['finance', ['Organizations', 'Approvals', 'Ledger', 'Audit log'], '/staff/lanes'],
  ['support', ['Organizations', ...operating, 'Ledger'], '/staff/approvals'],
  ['sales_manager', [], '/staff/organizations'],
  ['seller', [], '/staff/organizations'],
];

export const proveRoles = (world: () => ConsoleWorld): void => {
  itNeeds('chromium').each(roles)('%s has its own pages and no others', async (role, places, forbidden) => {
    const page = await world().pageOf(role);
    await page.goto('/');
    await settled(page);
    const links = await page.getByRole('navigation', { name: 'Menu' }).getByRole('link').allTextContents();
    expect(links.sort()).toEqual([...places].sort());
    if (forbidden === null) return;
    await page.goto(forbidden);
    await page.getByRole('heading', { name: 'This page is not for your role' }).waitFor();
  });
};
