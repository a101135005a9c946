// Platforms: the way to one of them, consent there, and the way back, as a browser goes it.

import { browser, elsewhere } from './http.js';
import { EDGE, SIMULATOR } from './settings.js';

/** Signs in by a platform, or links it to who is signed in, as the account of that name there. */
export function authorise(platform, account) {
  const start = browser.call('GET', '/api/oauth/{platform}/start', { at: { platform }, wanted: [303] });
  const consent = moved(start.headers.Location, SIMULATOR);
  elsewhere('GET', consent, null, [200]);
  const [page, request] = consent.split('?');
  const consented = elsewhere('POST', page, `${request}&account=${account}&decision=approve`, [303]);
  const [, query] = consented.headers.Location.split('?');
  browser.call('GET', '/api/oauth/{platform}/callback', { at: { platform }, query: `?${query}`, wanted: [303] });
}

/** What is linked to who is signed in. */
export function linkedAccounts() {
  return browser.call('GET', '/api/accounts').json('items');
}

/** Gives a link up. */
export function unlink(client, id) {
  client.call('DELETE', '/api/accounts/{id}', { at: { id }, wanted: [204] });
}

/** An address at another origin, if one is named. */
function moved(url, origin) {
  return origin ? url.replace(/^https?:\/\/[^/]+/, origin) : url;
}
