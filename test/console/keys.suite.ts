import { expect } from '@jest/globals';
import OpenAI from 'openai';
import type { Page } from 'playwright-core';
import { demoSlug, settled, type ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

const NAME = 'Browser test';
/** A revoked key is refused everywhere within this. */
const REFUSED_MS_MAX = 1_000;

const createKey = async (page: Page): Promise<string> => {
  await page.goto(`/o/${demoSlug}/api-keys`);
  await page.getByRole('button', { name: 'Create key' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name' }).fill(NAME);
  const project = dialog.getByRole('combobox', { name: 'Project' });
  if ((await project.inputValue()) === '') {
    await project.click();
    await page.getByRole('option').first().click();
  }
  await dialog.getByRole('button', { name: 'Create key' }).click();
  await dialog.getByText('It is not shown again').waitFor();
  const secret = (await dialog.locator('pre').first().textContent())!;
  await dialog.getByRole('button', { name: 'I have kept it' }).click();
  return secret;
};

const revokeKey = async (page: Page): Promise<void> => {
  await page.goto(`/o/${demoSlug}/api-keys`);
  await page.getByRole('button', { name: `Actions for ${NAME}` }).click();
  await page.getByRole('menuitem', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText(`${NAME} is revoked.`).waitFor();
};

export const proveKeys = (world: () => ConsoleWorld): void => {
  itNeeds('chromium')('a new key buys; its request arrives live with its arithmetic; revoked, it is refused within a second', async () => {
    const { gatewayUrl, loopbackModel } = world().home.quickstart();
    const page = await world().pageOf('owner');
    const secret = await createKey(page);
    expect(await page.content()).not.toContain(secret);

    await page.goto(`/o/${demoSlug}/requests`);
    await settled(page);
    // The list listens before the request is sent, so that its row can only have come by the socket.
    await page.getByText('Live', { exact: true }).waitFor();
    const sdk = new OpenAI({ baseURL: gatewayUrl, apiKey: secret, maxRetries: 0 });
    const ask = () => sdk.chat.completions.create({ model: loopbackModel, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 8 });
    const row = page.getByRole('row').filter({ hasText: NAME });
    const answer = await ask();
    await row.first().waitFor();

    await row.first().getByRole('link').click();
    await page.getByRole('heading', { name: 'The arithmetic of the charge' }).waitFor();
    const table = page.getByRole('region', { name: 'The arithmetic of the charge' });
    const output = table.getByRole('row').filter({ hasText: /^Output/ });
    expect(await output.first().textContent()).toContain(String(answer.usage!.completion_tokens));
    const [total, paid] = [await table.locator('tfoot').innerText(), await table.locator('table').nth(1).locator('tbody').innerText()];
    expect(/[1-9]/.test(total)).toBe(true);
    // Both end with the amount, written to the last digit.
    expect(paid.split(/\s+/).at(-1)).toBe(total.split(/\s+/).at(-1));

    await revokeKey(page);
    const revokedMs = performance.now();
    let lastAcceptedMs = revokedMs;
    for (;;) {
      const startedMs = performance.now();
      const refused = await ask().then(
        () => false,
        (error: unknown) => error instanceof OpenAI.AuthenticationError,
      );
      if (refused) break;
      lastAcceptedMs = startedMs;
      if (startedMs - revokedMs > REFUSED_MS_MAX) break;
    }
    expect(lastAcceptedMs - revokedMs).toBeLessThan(REFUSED_MS_MAX);
  });
};
