// Pages have a strict Content-Security-Policy and comply with it. If a page violates its policy, the story that opened the page fails
// (bench.mjs). The story in this file visits every page except those for admins.
import assert from 'node:assert/strict';

import * as pages from '../pages.mjs';
import { furnish, signIn } from '../people.mjs';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
];

async function keeps(page, path, status = 200) {
  const answer = await page.goto(path, { waitUntil: 'load' });
  assert.equal(answer.status(), status, path);
  const rules = answer.headers()['content-security-policy'].split(';').map((rule) => rule.trim());
  assert.deepEqual(rules.sort(), [...POLICY].sort(), path);
  // Check the HTML as sent: in the loaded document, scripts may have set styles.
  const sent = await (await page.context().request.get(path)).text();
  assert.doesNotMatch(sent, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/, path);
}

export const policy = {
  'policy: every page complies with its policy': async (bench) => {
    const owner = await bench.visitor();
    await signIn(owner);
    const things = await furnish(owner);
    const stranger = await bench.visitor({ forgives: [pages.missing.complaint] });
    for (const path of Object.values(pages.open(things))) await keeps(stranger.page, path);
    await keeps(stranger.page, pages.missing.path, 404);
    for (const path of [...Object.values(pages.open(things)), ...Object.values(pages.studio(things))]) await keeps(owner.page, path);
  },
};
