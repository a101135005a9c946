// Platforms: linked accounts, and the OAuth flow of a browser (start, consent page, callback).

import { browser, elsewhere } from './http.js';
import { EDGE, SIMULATOR } from './settings.js';

/** Signs in with `account`, an account on the platform. If a user is already signed in, links the account to this user instead. */
export function authorise(platform, account) {
  const start = browser.call('GET', '/api/oauth/{platform}/start', { at: { platform }, wanted: [303] });
  const consent = moved(start.headers.Location, SIMULATOR);
  elsewhere('GET', consent, null, [200]);
  const [page, request] = consent.split('?');
  const consented = elsewhere('POST', page, `${request}&account=${account}&decision=approve`, [303]);
  const [, query] = consented.headers.Location.split('?');
  browser.call('GET', '/api/oauth/{platform}/callback', { at: { platform }, query: `?${query}`, wanted: [303] });
}

/** Platform accounts linked to the signed-in user. */
export function linkedAccounts() {
  return browser.call('GET', '/api/accounts').json('items');
}

/** Unlinks a platform account. */
export function unlink(client, id) {
  client.call('DELETE', '/api/accounts/{id}', { at: { id }, wanted: [204] });
}

/** The address with its origin replaced by `origin`; unchanged if `origin` is empty. */
function moved(url, origin) {
  return origin ? url.replace(/^https?:\/\/[^/]+/, origin) : url;
}
