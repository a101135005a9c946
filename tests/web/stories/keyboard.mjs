// Keyboard-only use: these stories use no pointer.
import assert from 'node:assert/strict';

import { PASSWORD, register } from '../people.mjs';

/** Maximum number of Tab presses to reach an element. */
const FARTHEST = 60;

/** Whether the focused element is on the page and has a visible focus indicator. */
const focusIsVisible = (page) =>
  page.evaluate(() => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
    const { width, height, top, left } = document.activeElement.getBoundingClientRect();
    const marked = (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
    return marked && width > 0 && height > 0 && top + height > 0 && left + width > 0;
  });

/** Presses Tab until the focused element matches `selector`; the focus must be visible at every stop. */
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
  'keyboard: the first Tab stop skips to the main content': async (bench) => {
    const { page } = await bench.visitor();
    await page.goto('/');
    await page.keyboard.press('Tab');
    assert.ok(await focusIsVisible(page), 'the skip link must be visible');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(() => document.querySelector('main').contains(document.activeElement));
    assert.ok(inside, 'the next Tab stop must be inside the main content');
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
