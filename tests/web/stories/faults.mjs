// Fault injection: an admin starts a fault, sees its effect and ends it. Users who are not admins get 404 for the page of faults.
import assert from 'node:assert/strict';

import { until } from '../bench.mjs';
import { action, submit } from '../forms.mjs';
import { admin, signIn } from '../people.mjs';

/** The route for which the story injects a fault. No page calls this route: a page that gets a 503 would make the story fail. */
const ROUTE = '/version';

export const faults = {
  'faults: an admin starts a fault, sees its effect and ends it': async (bench) => {
    const { page, context } = await admin(bench, { forgives: [/status of 422/] });
    const isStruck = (wanted) =>
      until(`every replica ${wanted ? 'fails' : 'works'}`, async () => {
        const statuses = await Promise.all(bench.replicas.map(async (replica) => (await context.request.get(`${replica}${ROUTE}`)).status()));
        return { done: statuses.every((status) => (status === 503) === wanted), seen: statuses };
      });
    await page.goto('/studio');
    await page.getByRole('link', { name: 'Faults' }).click();
    await page.getByText('No active faults.').waitFor();

    const form = action(page, 'PUT', '/api/faults/{id}');
    await form.locator('[name=fault]').selectOption('error');
    await form.locator('[name=route]').selectOption(ROUTE);
    await submit(form);
    await form.getByText('must be 500 or 503').waitFor();
    await form.locator('[name=status]').selectOption('503');
    await submit(form);

    const made = page.locator('[data-fault=error]');
    await made.getByText('all replicas').waitFor();
    await isStruck(true);
    await made.getByRole('button', { name: 'End error' }).press('Enter');
    await page.getByText('No active faults.').waitFor();
    await isStruck(false);
  },

  'faults: an error names the identifier of its call, also without a response': async (bench) => {
    const visitor = await bench.visitor({ forgives: [/status of 409/, /ERR_FAILED/] });
    const { page, context } = visitor;
    await signIn(visitor);
    await page.goto('/studio');
    const create = action(page, 'POST', '/api/projects');
    await create.locator('[name=name]').fill('Unanswered');
    // Stands for an edge that takes over the identifiers of pages, and then does not answer.
    const ids = [];
    let fails = (route) => route.abort();
    await context.route('**/api/projects', (route) => {
      ids.push(/^00-([0-9a-f]{32})-[0-9a-f]{16}-00$/.exec(route.request().headers()['traceparent'])[1]);
      return fails(route, ids.at(-1));
    });
    const reference = create.locator('[data-problem] code');
    await submit(create);
    await create.getByText('No response from the service.').waitFor();
    assert.equal(await reference.count(), 0, 'the service has taken over no identifier yet');

    fails = (route, id) => route.fulfill({ status: 409, headers: { 'x-request-id': id }, body: 'refused' });
    await submit(create);
    await create.getByText('The service responded with status 409.').waitFor();

    fails = (route) => route.abort();
    await submit(create);
    await create.getByText('No response from the service.').waitFor();
    assert.equal(await reference.textContent(), ids[2]);
    assert.equal(new Set(ids).size, 3, 'each call has an identifier of its own');
  },

  'faults: a user who is not an admin gets 404 for the page': async (bench) => {
    const visitor = await bench.visitor({ forgives: [/status of 404/] });
    const { page } = visitor;
    await signIn(visitor);
    await page.goto('/studio');
    assert.equal(await page.getByRole('link', { name: 'Faults' }).count(), 0);
    const answer = await page.goto('/studio/faults');
    assert.equal(answer.status(), 404);
  },
};
