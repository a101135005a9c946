// The complete journey of a new user, in order, through pages only.
import assert from 'node:assert/strict';

import { until } from '../bench.mjs';
import { action, signUp, submit } from '../forms.mjs';
import { consent } from '../people.mjs';
import { openTerminal, terminalShows } from '../terminal.mjs';

/** A name that is unique in the showcase. */
const NAME = `Difference Engine ${Date.now()}`;

async function createProject(page) {
  const form = action(page, 'POST', '/api/projects');
  await form.locator('[name=name]').fill(NAME);
  await submit(form);
  await page.waitForURL(/\/studio\/projects\/[0-9a-f-]+$/);
  await page.getByRole('heading', { name: NAME }).waitFor();
}

async function startEnvironment(page) {
  const form = action(page, 'POST', '/api/projects/{id}/environments');
  await form.locator('[name=name]').fill('first');
  await submit(form);
  await page.waitForURL(/\/studio\/environments\/[0-9a-f-]+$/);
  const status = page.locator('[data-status-of]').first();
  const reaches = (expected) =>
    until(`the environment is ${expected}`, async () => {
      const seen = (await status.textContent()).trim().toLowerCase();
      return { done: seen === expected, seen };
    });
  await reaches('stopped');
  await action(page, 'POST', '/api/environments/{id}/start').click();
  await reaches('running');
}

async function readLog(page) {
  const lines = page.locator('[data-log] li.stream-stdout');
  await lines.first().waitFor();
  const before = await lines.count();
  await until('new lines appear without a reload', async () => {
    const seen = await lines.count();
    return { done: seen > before, seen };
  });
}

async function useTerminal(page) {
  await openTerminal(page);
  await page.keyboard.type('echo hello\n');
  await terminalShows(page, 'the echo of the input, then the output', (text) => text.split('hello').length === 3);
  await page.locator('[data-close-terminal]').click();
}

async function publish(page, project) {
  await page.goto(project);
  await submit(action(page, 'POST', '/api/projects/{id}/publish'));
  await action(page, 'DELETE', '/api/projects/{id}/publish').waitFor();
}

async function linkAccount(page, simulator) {
  await page.goto('/studio/accounts');
  await page.locator('a[href^="/api/oauth/mastodon/start"]').click();
  await page.waitForURL(`${simulator}/mastodon/**`);
  await consent(page);
  await action(page, 'DELETE', '/api/accounts/{id}').first().waitFor();
}

async function announce(page) {
  await page.goto('/studio/posts');
  const form = action(page, 'POST', '/api/posts');
  await form.locator('[name=project_id]').selectOption({ label: NAME });
  await form.locator('[name=text]').fill('It weaves algebraic patterns.');
  await form.locator('[name=platforms][value=mastodon]').check();
  await submit(form);
  await page.locator('[data-delivery$=":mastodon"].status-delivered').waitFor();
}

export const journey = {
  'the whole journey: from signing up to a signed-out visitor who opens the published project': async (bench) => {
    const { page } = await bench.visitor();
    await signUp(page);
    await createProject(page);
    const project = new URL(page.url()).pathname;
    await startEnvironment(page);
    await readLog(page);
    await useTerminal(page);
    await publish(page, project);
    await linkAccount(page, bench.simulator);
    await announce(page);

    const stranger = await bench.visitor();
    await stranger.page.goto('/projects');
    await stranger.page.getByRole('link', { name: NAME }).click();
    await stranger.page.waitForURL(/\/projects\/[a-z0-9-]+$/);
    assert.match(await stranger.page.getByRole('main').innerText(), new RegExp(NAME));
  },
};
