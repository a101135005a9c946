// Changes under adverse conditions: concurrent edits, lost responses, invalid input, accidental clicks.
import assert from 'node:assert/strict';

import { action, submit } from '../forms.mjs';
import { call, link, signIn } from '../people.mjs';

/** A signed-in visitor on the page of a new project. */
async function owner(bench, options) {
  const visitor = await bench.visitor(options);
  await signIn(visitor);
  const { id } = await call(visitor, 'POST', '/api/projects', { name: 'Changed' });
  await visitor.page.goto(`/studio/projects/${id}`);
  await visitor.page.locator('[data-connection=connected]').waitFor();
  return { ...visitor, id };
}

/** Submits a new name for the page's project; returns the form. */
async function rename(page, name) {
  const form = action(page, 'PATCH', '/api/projects/{id}');
  if (!(await form.isVisible())) await page.getByText('Edit the project').click();
  await form.locator('[name=name]').fill(name);
  await submit(form);
  return form;
}

const visibly = (locator) => locator.filter({ visible: true });

export const changes = {
  'changes: a concurrent edit is rejected, and the first edit is kept': async (bench) => {
    const visitor = await owner(bench, { forgives: [/status of 412/] });
    const { page, context, id } = visitor;
    const other = await context.newPage();
    await other.goto(`/studio/projects/${id}`);
    await rename(other, 'By the first');
    await other.getByRole('heading', { name: 'By the first', level: 1 }).waitFor();
    await page.getByText('The project has changed.').waitFor();

    const form = await rename(page, 'By the second');
    const problem = visibly(form.getByRole('alert'));
    await problem.waitFor();
    assert.equal((await call(visitor, 'GET', `/api/projects/${id}`)).name, 'By the first');
    await problem.getByRole('button', { name: 'Reload' }).click();
    await page.getByRole('heading', { name: 'By the first', level: 1 }).waitFor();
  },

  'changes: a submission repeated after a lost response takes effect once': async (bench) => {
    const visitor = await bench.visitor({ forgives: [/ERR_FAILED/] });
    const { page, context } = visitor;
    await signIn(visitor);
    await page.goto('/studio');
    // The service handles the request, but the response is lost.
    let lost = 0;
    await context.route('**/api/projects', async (route) => {
      if (lost > 0) return route.continue();
      lost += 1;
      await route.fetch();
      return route.abort();
    });
    const form = action(page, 'POST', '/api/projects');
    await form.locator('[name=name]').fill('Once');
    await submit(form);
    await visibly(form.getByRole('alert')).waitFor();
    await submit(form);
    await page.waitForURL(/\/studio\/projects\//);
    assert.equal(lost, 1);
    const { items } = await call(visitor, 'GET', '/api/projects');
    assert.deepEqual(items.map(({ name }) => name), ['Once']);
  },

  'changes: an invalid field is marked and explained': async (bench) => {
    const { page } = await owner(bench, { forgives: [/status of 422/] });
    const form = action(page, 'POST', '/api/projects/{id}/publish');
    // Disable the browser's validation, to see the service's error.
    await form.evaluate((element) => (element.noValidate = true));
    const slug = form.locator('[name=slug]');
    await slug.fill('Not a slug');
    await submit(form);
    await form.locator('[name=slug][aria-invalid=true]').waitFor();
    await visibly(form.locator('[data-error-for=slug]')).waitFor();
    const described = await slug.getAttribute('aria-describedby');
    assert.ok(described.split(' ').includes(await form.locator('[data-error-for=slug]').getAttribute('id')), described);
    await slug.fill('a-slug-of-its-own');
    await submit(form);
    await action(page, 'DELETE', '/api/projects/{id}/publish').waitFor();
  },

  'changes: an invalid item of a list is explained at the list': async (bench) => {
    const visitor = await bench.visitor({ forgives: [/status of 422/] });
    const { page } = visitor;
    await signIn(visitor);
    const { id } = await call(visitor, 'POST', '/api/projects', { name: 'Announced' });
    await call(visitor, 'POST', `/api/projects/${id}/publish`, {});
    await link(visitor, 'mastodon');
    await page.goto('/studio/posts');
    const form = action(page, 'POST', '/api/posts');
    await form.locator('[name=text]').fill('It is there');
    const platform = form.locator('[name=platforms]');
    await platform.evaluate((box) => (box.value = 'a platform of tomorrow'));
    await submit(form);
    await visibly(form.locator('[data-error-for=platforms]')).waitFor();
    assert.equal(await platform.getAttribute('aria-invalid'), 'true');
    assert.equal(await form.getByRole('alert').getByRole('listitem').count(), 0);
  },

  'changes: an irreversible action asks for confirmation': async (bench) => {
    const visitor = await owner(bench);
    const { page } = visitor;
    const count = async () => (await call(visitor, 'GET', '/api/projects')).items.length;
    const remove = action(page, 'DELETE', '/api/projects/{id}');
    await remove.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    assert.equal(await count(), 1);
    await remove.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete the project' }).click();
    await page.waitForURL('/studio');
    assert.equal(await count(), 0);
  },
};
