// The life of an account, through pages and mails only: confirmation, second factor, reset of the password, deletion.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { code } from '../authenticator.mjs';
import { action, logIn, signUp, submit } from '../forms.mjs';
import { linkTo } from '../mails.mjs';
import { call, PASSWORD } from '../people.mjs';

const NEW = 'another long pass phrase 8';
const FACTOR = '/studio/accounts/second-factor';

async function confirm(bench, page, email) {
  await page.goto(await linkTo(bench, email, 'Confirm'));
  await submit(action(page, 'POST', '/api/auth/confirmations/redeem'));
  await page.getByText('Your e-mail address is confirmed.').waitFor();
}

/** Sets up a second factor. Returns a recovery code and the secret. */
async function setUp(page, picture) {
  await page.goto(FACTOR);
  const begin = action(page, 'POST', '/api/auth/second-factor');
  await begin.locator('[name=password]').fill(PASSWORD);
  await submit(begin);
  const activate = action(page, 'POST', '/api/auth/second-factor/activate');
  await activate.waitFor();
  await page.getByRole('img', { name: 'QR code with the secret' }).waitFor();
  await picture('factor-pending');
  const [secret, recovery] = await page.getByRole('main').locator('code').allTextContents();
  await activate.locator('[name=code]').fill(code(secret));
  await activate.locator('[name=password]').fill(PASSWORD);
  await submit(activate);
  await page.getByText('Unused recovery codes: 10').waitFor();
  return { secret, recovery };
}

/** Signs in after the first attempt, without a code, was refused. */
async function logInWith(page, email, password, factor) {
  await page.goto('/login');
  const form = await logIn(page, email, password);
  await form.getByRole('alert').filter({ visible: true }).waitFor();
  await form.locator('summary').first().click();
  await form.locator('[name=code]').fill(factor);
  await submit(form);
  await page.waitForURL('/studio');
}

async function signOut(page) {
  await page.goto('/studio');
  await action(page, 'POST', '/api/auth/logout').click();
  await page.waitForURL('/');
}

async function reset(bench, page, email) {
  await page.goto('/login');
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  const request = action(page, 'POST', '/api/auth/password-resets');
  await request.locator('[name=email]').fill(email);
  await submit(request);
  await page.getByText('If an account has this address').waitFor();
  await page.goto(await linkTo(bench, email, 'Set a new password'));
  const form = action(page, 'POST', '/api/auth/password-resets/redeem');
  await form.locator('[name=password]').fill(NEW);
  await submit(form);
  await page.waitForURL('/login?reset=1');
}

export const accounts = {
  'accounts: confirmation, second factor, reset by mail, and deletion': async (bench) => {
    // Sign-ins without a code, and the one after the deletion, are refused.
    const visitor = await bench.visitor({ forgives: [/status of 401/] });
    const { page } = visitor;
    const picture = (name) => page.screenshot({ path: join(bench.folder, `account-${name}.png`), fullPage: true });
    const email = await signUp(page);
    await confirm(bench, page, email);
    const { secret, recovery } = await setUp(page, picture);
    await signOut(page);
    await logInWith(page, email, PASSWORD, code(secret, 1));
    await call(visitor, 'POST', '/api/projects', { name: 'To be deleted' });
    await signOut(page);
    await reset(bench, page, email);
    await logInWith(page, email, NEW, recovery);
    await page.goto('/studio/accounts/events');
    await picture('events');
    const events = await page.getByRole('main').locator('tbody th').allTextContents();
    assert.deepEqual(events.slice(0, 3), ['Signed in with the password', 'Recovery code used', 'Password reset by mail']);
    await page.goto('/studio/accounts');
    await picture('confirmed');
    const form = action(page, 'POST', '/api/auth/me/delete');
    await form.locator('[name=password]').fill(NEW);
    await submit(form);
    await page.getByRole('dialog').getByRole('button', { name: 'Delete account' }).click();
    await page.waitForURL('/');
    await page.goto('/login');
    const refused = await logIn(page, email, NEW);
    await refused.getByRole('alert').filter({ visible: true }).waitFor();
  },
};
