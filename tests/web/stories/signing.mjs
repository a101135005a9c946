// Signing in leads back to the requested page; signing out takes effect in every tab.
import assert from 'node:assert/strict';

import { action, logIn } from '../forms.mjs';
import { call, register, signIn } from '../people.mjs';

export const signing = {
  'signing in: leads back to the requested page of the studio': async (bench) => {
    const visitor = await bench.visitor();
    const { page } = visitor;
    const email = await register(visitor);
    await page.goto('/studio/accounts');
    assert.equal(new URL(page.url()).pathname, '/login');
    await logIn(page, email);
    await page.waitForURL('/studio/accounts');
  },

  'signing in: a wrong password shows an error and keeps the e-mail address in the form': async (bench) => {
    const visitor = await bench.visitor({ forgives: [/status of 401/] });
    const { page } = visitor;
    const email = await register(visitor);
    await page.goto('/login');
    const form = await logIn(page, email, 'not the pass phrase');
    await form.getByRole('alert').filter({ visible: true }).waitFor();
    assert.equal(await form.locator('[name=email]').inputValue(), email);
  },

  'signing in: never redirects to another site': async (bench) => {
    const visitor = await bench.visitor();
    const { page } = visitor;
    const email = await register(visitor);
    await page.goto('/login?next=//example.com/');
    await logIn(page, email);
    await page.waitForURL('/studio');
  },

  'signing out: the other tab is signed out automatically': async (bench) => {
    const visitor = await bench.visitor();
    const { page, context } = visitor;
    await signIn(visitor);
    const { id } = await call(visitor, 'POST', '/api/projects', { name: 'In two tabs' });
    const other = await context.newPage();
    await other.goto(`/studio/projects/${id}`);
    await other.locator('[data-connection=connected]').waitFor();
    await page.goto('/studio');
    await action(page, 'POST', '/api/auth/logout').click();
    await page.waitForURL('/');
    await other.waitForURL('/login?ended=1');
  },
};
