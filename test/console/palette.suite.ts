import { expect } from '@jest/globals';
import { demoSlug, settled, type ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

export const provePalette = (world: () => ConsoleWorld): void => {
  const test = itNeeds('chromium');

  test('opens by its keys, goes to a page by a few letters and the arrow keys, and closes', async () => {
    const page = await world().pageOf('owner');
    await page.goto(`/o/${demoSlug}`);
    await settled(page);
    await page.keyboard.press('Control+k');
    const field = page.getByRole('dialog', { name: 'Go to' }).getByRole('textbox', { name: 'Go to' }).or(page.getByRole('combobox', { name: 'Go to' }));
    await field.fill('a');
    await page.keyboard.press('ArrowDown');
    const chosen = await page.locator(`[id="${(await field.getAttribute('aria-activedescendant'))!}"]`).textContent();
    expect(await page.getByRole('option').nth(1).textContent()).toBe(chosen);
    await field.fill('limits');
    await page.getByRole('option', { name: 'Limits and budgets' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Limits and budgets', level: 1 }).waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+k');
    await field.waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  test('finds any organization for staff', async () => {
    const page = await world().pageOf('support');
    await page.goto('/staff/organizations');
    await settled(page);
    await page.getByRole('button', { name: 'Go to' }).click();
    await page.getByRole('dialog', { name: 'Go to' }).getByPlaceholder('Page or organization').fill('demo');
    await page.getByRole('option', { name: 'Demo' }).click();
    await page.getByRole('heading', { name: 'Demo', level: 1 }).waitFor();
  });
};
