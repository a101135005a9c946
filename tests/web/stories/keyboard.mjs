// The pages with a keyboard alone: no pointer is used here.
import assert from 'node:assert/strict';

import { PASSWORD, register } from '../people.mjs';

/** How far Tab may have to go to reach something. */
const FARTHEST = 60;

/** Whether one can see where the keyboard is. */
const focusIsVisible = (page) =>
  page.evaluate(() => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
    const { width, height, top, left } = document.activeElement.getBoundingClientRect();
    const marked = (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
    return marked && width > 0 && height > 0 && top + height > 0 && left + width > 0;
  });

/** Goes on with Tab until the focus is on what `selector` says; every stop on the way must be visible. */
async function tabTo(page, selector) {
  for (let steps = 0; steps < FARTHEST; steps += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => document.activeElement.outerHTML.slice(0, 200));
    assert.ok(await focusIsVisible(page), `the focus is not visible on ${stop}`);
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  assert.fail(`Tab does not reach ${selector}`);
}

export const keyboard = {
  'keyboard: the first stop skips to what the page is about': async (bench) => {
    const { page } = await bench.visitor();
    await page.goto('/');
    await page.keyboard.press('Tab');
    assert.ok(await focusIsVisible(page), 'the link that skips is visible');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(() => document.querySelector('main').contains(document.activeElement));
    assert.ok(inside, 'the next stop is inside of it');
  },

  'keyboard: sign in and create a project': async (bench) => {
    const visitor = await bench.visitor();
    const { page } = visitor;
    const email = await register(visitor);
    await page.goto('/login?next=/studio');
    await tabTo(page, 'form[data-endpoint="/api/auth/login"] [name=email]');
    await page.keyboard.type(email);
    await tabTo(page, 'form[data-endpoint="/api/auth/login"] [name=password]');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL('/studio');
    await tabTo(page, 'form[data-endpoint="/api/projects"] [name=name]');
    await page.keyboard.type('Without a mouse');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/studio\/projects\//);
    await page.getByRole('heading', { name: 'Without a mouse' }).waitFor();
  },
};
