// Every page is readable without JavaScript. The pages for admins are not tested.
import assert from 'node:assert/strict';

import * as pages from '../pages.mjs';
import { furnish, signIn } from '../people.mjs';

/** Asserts that a page loads with a visible heading and these texts. */
async function reads(page, path, ...texts) {
  const answer = await page.goto(path);
  assert.equal(answer.status(), 200, path);
  assert.ok(await page.getByRole('heading', { level: 1 }).isVisible(), `${path} must have a heading`);
  const text = await page.locator('body').innerText();
  for (const wanted of texts) assert.ok(text.includes(wanted), `${path} must say "${wanted}":\n${text}`);
}

export const plain = {
  'without JavaScript: the public pages are readable': async (bench) => {
    const owner = await bench.visitor();
    await signIn(owner);
    const things = await furnish(owner);

    const { page } = await bench.visitor({ javaScriptEnabled: false, forgives: [pages.missing.complaint] });
    const open = pages.open(things);
    await reads(page, open.home, 'Vitrine', 'Analytical Engine', 'JavaScript');
    await reads(page, open.about, 'replicas');
    await reads(page, open.login, 'JavaScript');
    // Of the tools, only the simulated platforms run beside the pages.
    await reads(page, open.operator, 'Simulated platforms', 'reachable', 'Prometheus', 'not reachable');
    await reads(page, open.projects, 'Analytical Engine');
    await reads(page, open.published, 'Analytical Engine', 'Weaves algebraic patterns.');
    assert.equal((await page.goto(pages.missing.path)).status(), 404);
    assert.ok(await page.getByRole('heading', { level: 1 }).isVisible(), 'a missing page must have a heading');
  },

  'without JavaScript: a signed-in user can read the studio': async (bench) => {
    const owner = await bench.visitor();
    const email = await signIn(owner);
    const things = await furnish(owner);

    // This visitor uses the owner's session, without JavaScript.
    const { page } = await bench.visitor({ javaScriptEnabled: false, storageState: await owner.context.storageState() });
    const studio = pages.studio(things);
    await reads(page, studio.studio, 'Analytical Engine');
    await reads(page, studio.project, 'Analytical Engine', 'first', 'running');
    await reads(page, studio.environment, 'first', 'running', 'busybox');
    assert.ok((await page.locator('[data-log] li').count()) > 0, 'the log must have lines');
    await reads(page, studio.posts, 'It is there', 'delivered');
    await reads(page, studio.accounts, email);
    assert.ok(await page.getByText('mastodon', { exact: false }).first().isVisible());
  },
};
