// Accessibility: axe finds no serious or critical violation on any page, in the light and the dark colour scheme.
import assert from 'node:assert/strict';

import * as pages from '../pages.mjs';
import { admin, furnish, signIn } from '../people.mjs';

const SERIOUS = ['serious', 'critical'];

/** The serious and critical violations on a page, each with its first three elements. */
async function findings(bench, page, path) {
  const found = [];
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.goto(path);
    await page.evaluate(bench.axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    for (const { help, nodes } of violations.filter(({ impact }) => SERIOUS.includes(impact))) {
      const some = nodes.slice(0, 3).map(({ html, failureSummary }) => `${html}: ${failureSummary}`);
      found.push(`${path}, ${colorScheme}: ${help}, ${nodes.length} times: ${some.join(' ')}`);
    }
  }
  return found;
}

export const accessibility = {
  'accessibility: axe finds no serious or critical violation on any page, light or dark': async (bench) => {
    const owner = await bench.visitor();
    await signIn(owner);
    const things = await furnish(owner);
    const stranger = await bench.visitor({ forgives: [pages.missing.complaint] });
    const [open, studio, ofAdmins] = [pages.open(things), pages.studio(things), pages.admin].map(Object.values);
    const found = [];
    for (const path of [...open, pages.missing.path]) found.push(...(await findings(bench, stranger.page, path)));
    for (const path of studio) found.push(...(await findings(bench, owner.page, path)));
    const { page } = await admin(bench);
    for (const path of ofAdmins) found.push(...(await findings(bench, page, path)));
    assert.deepEqual(found, []);
    return `${open.length + 1 + studio.length + ofAdmins.length} pages`;
  },
};
