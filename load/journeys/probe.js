// An external client that asks whether the service is alive. (The edge asks the replicas for `/health/ready` instead.)

import { browser } from '../lib/http.js';
import { journey } from '../lib/journey.js';

/** Asks once. */
export const probe = journey(() => {
  browser.call('GET', '/health');
});
