import { expect } from '@jest/globals';
import { demoSlug, type ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

export const provePlayground = (world: () => ConsoleWorld): void => {
  itNeeds('chromium')('a chat streams its answer from the gateway, with its tokens and its exact cost', async () => {
    const page = await world().pageOf('developer');
    await page.goto(`/o/${demoSlug}/playground`);
    const message = page.getByRole('textbox', { name: 'Message' });
    await message.fill('Hello');
    await message.press('Enter');
    const counted = page.getByText(/^\d+ tokens in, \d+ out$/);
    await counted.waitFor();
    const cost = await counted.locator('xpath=following-sibling::*[1]').textContent();
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.goto(`/o/${demoSlug}/requests`);
    const charged = page.getByRole('row').filter({ hasText: '$' }).first().getByRole('cell').last();
    await charged.waitFor();
    expect({ cost, isSomething: /[1-9]/.test(cost ?? '') }).toEqual({ cost: await charged.textContent(), isSomething: true });
  });
};
