import { expect } from '@jest/globals';
import { TOTP } from 'otpauth';
import type { Page } from 'playwright-core';
import type { ConsoleWorld } from '../support/console.js';
import { itNeeds } from '../support/requirements.js';

/** The label of a required field ends with a star, and a button beside it is labelled “Show password”. */
const passwordOf = (page: Page) => page.getByLabel(/^Password/);

const enterPassword = async (page: Page, { email, password }: { email: string; password: string }): Promise<void> => {
  await page.goto('/sign-in');
  await page.getByLabel('E-mail').fill(email);
  await passwordOf(page).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
};

const enterCode = async (page: Page, code: string): Promise<void> => {
  for (const [index, digit] of [...code].entries()) await page.getByLabel(`Digit ${index + 1}`).fill(digit);
};

const signOut = async (page: Page): Promise<void> => {
  await page.getByRole('button', { name: /account menu/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
};

/** Sets an authenticator up on the profile page; a page shows its secret and recovery codes this once. */
const setUpAuthenticator = async (page: Page, password: string): Promise<{ totp: TOTP; recoveryCode: string }> => {
  await page.goto('/profile');
  await page.getByRole('button', { name: 'Set up' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Current password').fill(password);
  await dialog.getByRole('button', { name: 'Next' }).click();
  await dialog.getByAltText('QR code for the authenticator app').waitFor();
  const secret = (await dialog.locator('pre').textContent())!;
  const totp = new TOTP({ secret });
  await enterCode(page, totp.generate());
  await dialog.getByRole('button', { name: 'Confirm' }).click();
  await dialog.getByText('Each lets you in once').waitFor();
  const [recoveryCode] = (await dialog.locator('pre').textContent())!.split('\n');
  await dialog.getByRole('button', { name: 'I have kept it' }).click();
  return { totp, recoveryCode: recoveryCode! };
};

export const proveSignIn = (world: () => ConsoleWorld): void => {
  const test = itNeeds('chromium');

  test('refuses a wrong password, and says what to do', async () => {
    const page = await world().newPage();
    await enterPassword(page, { email: world().user('viewer').email, password: 'not the password' });
    expect(await page.getByRole('alert').textContent()).toContain('E-mail or password is wrong');
  });

  test('returns to the page that was asked for, and to no other site', async () => {
    const page = await world().newPage();
    const viewer = world().user('viewer');
    await page.goto('/o/demo/requests');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.getByLabel('E-mail').fill(viewer.email);
    await passwordOf(page).fill(viewer.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Requests', level: 1 }).waitFor();
    await signOut(page);
    await page.goto('/sign-in?next=//evil.example/');
    await page.getByLabel('E-mail').fill(viewer.email);
    await passwordOf(page).fill(viewer.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  });

  test('asks for the code of a set-up authenticator, and takes a recovery code once', async () => {
    const page = await world().newPage();
    const user = world().user('billing');
    await enterPassword(page, user);
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    const { totp, recoveryCode } = await setUpAuthenticator(page, user.password);
    await signOut(page);

    await enterPassword(page, user);
    await page.getByRole('heading', { name: 'Second step' }).waitFor();
    await enterCode(page, totp.generate());
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    await signOut(page);

    for (const isFirst of [true, false]) {
      await enterPassword(page, user);
      await page.getByRole('button', { name: 'Use a recovery code instead' }).click();
      await page.getByLabel('Recovery code').fill(recoveryCode);
      await page.getByRole('button', { name: 'Continue' }).click();
      if (isFirst) {
        await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
        await signOut(page);
      } else {
        expect(await page.getByRole('alert').textContent()).toContain('This code is not right');
      }
    }

    await page.getByRole('button', { name: 'Use the authenticator app instead' }).click();
    await enterCode(page, totp.generate());
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    await page.goto('/profile');
    await page.getByRole('button', { name: 'Turn off' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Current password').fill(user.password);
    await dialog.getByRole('button', { name: 'Turn off' }).click();
    await page.getByRole('button', { name: 'Set up' }).waitFor();
  });
};
