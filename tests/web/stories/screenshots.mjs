// Screenshots for people to review: every page except those for admins. The story asserts only that pages load and are not wider than
// the screen.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import * as pages from '../pages.mjs';
import { furnish, signIn } from '../people.mjs';

const MODES = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
};

/** Whether the page fits without horizontal scrolling. */
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

export const screenshots = {
  'screenshots: every page, light, dark and on a phone': async (bench) => {
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
