// An anonymous visitor of the public pages: the home page with its fleet status, the showcase, and a project in it.

import { browser } from '../lib/http.js';
import { journey } from '../lib/journey.js';
import { open } from '../lib/pages.js';

/** Goes from the home page to the project that stays published during the run. */
export const visitor = journey(({ exhibit }) => {
  const home = open('/');
  home.call('GET', '/api/fleet');
  home.leave(2);
  open('/projects').leave(1);
  open('/projects/{slug}', { slug: exhibit }).leave(2);
  browser.call('GET', '/api/showcase/{slug}', { at: { slug: exhibit } });
});
