import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { demoSlug, settled, type ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

const ABOVE_THE_LIMIT = '54321.25';
const WRITTEN = '54,321.25';

const issue = async (page: Page): Promise<void> => {
  await page.goto(`/staff/organizations/${demoSlug}`);
  await page.getByRole('button', { name: 'Issue grant' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Amount').fill(ABOVE_THE_LIMIT);
  await dialog.getByLabel('Unit').fill('USD');
  await dialog.getByLabel('Reference').fill('browser-test');
  await dialog.getByRole('button', { name: 'Issue grant' }).click();
  await page.getByText('This waits for a second person').waitFor();
};

const rowOf = (page: Page) => page.getByRole('row').filter({ hasText: WRITTEN });

export const proveGrants = (world: () => ConsoleWorld): void => {
  itNeeds('chromium')('a grant above the limit waits for a second person, and not for the first', async () => {
    const first = await world().pageOf('finance', 0);
    await issue(first);
    await first.goto('/staff/approvals');
    await rowOf(first).waitFor();
    expect(await rowOf(first).getByRole('button', { name: 'Decide' }).count()).toBe(0);
    await first.goto(`/staff/organizations/${demoSlug}`);
    await settled(first);
    expect(await rowOf(first).count()).toBe(0);

    const second = await world().pageOf('finance', 1);
    await second.goto('/staff/approvals');
    await rowOf(second).getByRole('button', { name: 'Decide' }).click();
    const dialog = second.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await second.getByText('Approved and done.').waitFor();
    await second.goto(`/staff/organizations/${demoSlug}`);
    await rowOf(second).first().waitFor();
  });
};
