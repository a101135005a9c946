// The question whether the service is alive, as a load balancer asks it.

import { browser } from '../lib/http.js';
import { journey } from '../lib/journey.js';

/** Asks once. */
export const probe = journey(() => {
  browser.call('GET', '/health');
});
