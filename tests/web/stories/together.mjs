// Users on the same page see each other and each other's actions, across replicas.
import assert from 'node:assert/strict';

import { until } from '../bench.mjs';
import { action } from '../forms.mjs';
import { call, runEnvironment, signIn } from '../people.mjs';

const servedBy = async ({ page }) => (await page.locator('footer strong').textContent()).trim();

export const together = {
  'together: users on a project see who is online': async (bench) => {
    const { owner, guest, id } = await two(bench);
    await owner.page.goto(`/studio/projects/${id}`);
    await guest.page.goto(`/studio/projects/${id}`);
    const present = owner.page.locator('[data-presence] li');
    await until('both users are online', async () => ({ done: (await present.count()) === 2, seen: await present.allTextContents() }));
    await guest.page.goto('/');
    await until('only one user is online', async () => ({ done: (await present.count()) === 1, seen: await present.allTextContents() }));
  },

  "together: one user's action on an environment reaches the other user on another replica": async (bench) => {
    const { owner, guest, id } = await two(bench);
    const environment = await runEnvironment(owner, id);
    await owner.page.goto(`/studio/environments/${environment}`);
    const [here, there] = [await servedBy(owner), await elsewhere(guest, await servedBy(owner), `/studio/environments/${environment}`)];
    assert.notEqual(here, there);
    await guest.page.locator('[data-connection=connected]').waitFor();
    await action(owner.page, 'POST', '/api/environments/{id}/stop').click();
    await guest.page.locator(`[data-status-of="${environment}"].status-stopped`).waitFor();
    await action(owner.page, 'POST', '/api/environments/{id}/start').filter({ visible: true }).waitFor();
  },

  'together: a list that is older than an event does not hide the event': async (bench) => {
    const { owner, guest, id } = await two(bench);
    const environment = await runEnvironment(owner, id);
    const [listed, shown] = [deferred(), deferred()];
    await guest.page.route('**/environments?limit=100', async (route) => {
      const response = await route.fetch();
      listed.resolve();
      await shown.promise;
      await route.fulfill({ response });
    });
    await guest.page.goto(`/studio/projects/${id}`);
    await Promise.all([listed.promise, guest.page.locator('[data-presence] li').first().waitFor()]);
    await call(owner, 'POST', `/api/environments/${environment}/stop`);
    const stopped = guest.page.locator(`[data-status-of="${environment}"].status-stopped`);
    await stopped.waitFor();
    const answered = guest.page.waitForResponse('**/environments?limit=100');
    shown.resolve();
    await (await answered).finished();
    // Wait until the page has handled the response: this timeout runs in a later task.
    await guest.page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(await stopped.count(), 1);
  },
};

/** The owner of a project and a guest who is a member. */
async function two(bench) {
  const [owner, guest] = [await bench.visitor(), await bench.visitor()];
  await signIn(owner);
  const email = await signIn(guest);
  const { id } = await call(owner, 'POST', '/api/projects', { name: 'Shared' });
  await call(owner, 'POST', `/api/projects/${id}/members`, { email, role: 'viewer' });
  return { owner, guest, id };
}

/** Opens a page on a different replica: without the cookie of the edge, a visitor may reach any replica. */
async function elsewhere(visitor, replica, path) {
  let found;
  await until(`a replica other than ${replica} answers`, async () => {
    await visitor.context.clearCookies({ name: 'vitrine_replica' });
    await visitor.page.goto(path);
    found = await servedBy(visitor);
    return { done: found !== replica, seen: found };
  });
  return found;
}

/** A promise that is resolved from outside. */
function deferred() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
