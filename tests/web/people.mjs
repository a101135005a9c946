// Creates accounts and their data for stories, through the API. Only linking an account uses pages.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { until } from './bench.mjs';

export const PASSWORD = 'a long enough pass phrase 7';

/** An unused e-mail address. */
export const freshEmail = () => `${randomUUID()}@example.org`;

/** Calls the API with the cookies of the visitor's browser. */
export async function call({ context }, method, path, data) {
  const answer = await context.request.fetch(path, { method, data });
  assert.ok(answer.ok(), `${method} ${path}: ${answer.status()} ${await answer.text()}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : undefined;
}

/** Registers an account without signing in. */
export async function register(visitor, display_name = 'Ada Lovelace') {
  const email = freshEmail();
  await call(visitor, 'POST', '/api/auth/register', { email, password: PASSWORD, display_name });
  return email;
}

/** Registers an account and signs the visitor in. */
export async function signIn(visitor) {
  const email = await register(visitor);
  await call(visitor, 'POST', '/api/auth/login', { email, password: PASSWORD });
  return email;
}

/** A visitor who is signed in as an admin. */
export async function admin(bench, options) {
  const visitor = await bench.visitor(options);
  await visitor.context.addCookies([{ name: 'vitrine', value: bench.admin, url: bench.edge }]);
  return visitor;
}

/** Creates a published project, a running environment, a linked account and a delivered post for a signed-in visitor. */
export async function furnish(visitor) {
  const project = await call(visitor, 'POST', '/api/projects', { name: 'Analytical Engine', description: 'Weaves algebraic patterns.' });
  const { slug } = await call(visitor, 'POST', `/api/projects/${project.id}/publish`, {});
  const environment = await runEnvironment(visitor, project.id);
  await link(visitor, 'mastodon');
  const post = await call(visitor, 'POST', '/api/posts', { project_id: project.id, text: 'It is there', platforms: ['mastodon'] });
  await until('the post is delivered', async () => {
    const { deliveries } = await call(visitor, 'GET', `/api/posts/${post.id}`);
    return { done: deliveries.every(({ status }) => status === 'delivered'), seen: deliveries };
  });
  return { project: project.id, slug, environment };
}

/** Creates and starts an environment; waits for log lines. */
export async function runEnvironment(visitor, project) {
  const { id } = await call(visitor, 'POST', `/api/projects/${project}/environments`, { name: 'first', image: 'busybox:1.37' });
  const reaches = (wanted) =>
    until(`the environment is ${wanted}`, async () => {
      const { status } = await call(visitor, 'GET', `/api/environments/${id}`);
      return { done: status === wanted, seen: status };
    });
  await reaches('stopped');
  await call(visitor, 'POST', `/api/environments/${id}/start`);
  await reaches('running');
  await until('the log has lines', async () => {
    const { items } = await call(visitor, 'GET', `/api/environments/${id}/logs?after=0`);
    return { done: items.some(({ stream }) => stream === 'stdout'), seen: items.length };
  });
  return id;
}

/** Links an account on a simulated platform through its consent page. */
export async function link({ page }, platform) {
  await page.goto(`/api/oauth/${platform}/start?return_to=/studio/accounts`);
  await consent(page);
}

/** Approves access on a simulated platform's consent page, as a new account of the platform, and waits for the redirect back. */
export async function consent(page) {
  await page.locator('[name=account]').fill(randomUUID());
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.waitForURL('/studio/accounts');
}
