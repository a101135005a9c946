// A picture of every page, for people to look at; nothing is judged but that the pages are there.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import * as pages from '../pages.mjs';
import { furnish, signIn } from '../people.mjs';

const MODES = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
};

/** A page that is wider than the screen makes people scroll sideways. */
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

export const screenshots = {
  'screenshots: every page in the light, in the dark and on a phone': async (bench) => {
    const owner = await bench.visitor();
    await signIn(owner);
    const things = await furnish(owner);
    const storageState = await owner.context.storageState();
    let count = 0;
    for (const [mode, options] of Object.entries(MODES)) {
      const stranger = await bench.visitor({ ...options, forgives: [pages.missing.complaint] });
      const member = await bench.visitor({ ...options, storageState });
      const take = async ({ page }, name, path) => {
        await page.goto(path);
        await page.evaluate(() => document.fonts.ready);
        assert.ok(await fits(page), `${path} is wider than the screen (${mode})`);
        await page.screenshot({ path: join(bench.folder, `${name}-${mode}.png`), fullPage: true });
        count += 1;
      };
      for (const [name, path] of Object.entries(pages.open(things))) await take(stranger, name, path);
      await take(stranger, 'missing', pages.missing.path);
      for (const [name, path] of Object.entries(pages.studio(things))) await take(member, name, path);
    }
    return `${count} pictures`;
  },
};
