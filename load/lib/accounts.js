// Accounts: signing up, in and out.

import { browser } from './http.js';

const PASSWORD = 'open sesame, said the load';

/** Makes an account; answers its e-mail. */
export function register(email) {
  const body = { email, password: PASSWORD, display_name: 'Somebody under load' };
  browser.call('POST', '/api/auth/register', { body, wanted: [201] });
  return email;
}

/** Signs in; the cookie is kept as a browser does, the token answered for programs. */
export function logIn(client, email) {
  return client.call('POST', '/api/auth/login', { body: { email, password: PASSWORD, device: 'load' } }).json('token');
}

/** Signs in with a password that is not the one. */
export function mistype(client, email) {
  client.call('POST', '/api/auth/login', { body: { email, password: `${PASSWORD}?` }, wanted: [401] });
}

/** Looks who is signed in, and where. */
export function lookAround() {
  browser.call('GET', '/api/auth/me');
  browser.call('GET', '/api/auth/sessions');
}

/** Signs out. */
export function logOut(client) {
  client.call('POST', '/api/auth/logout', { wanted: [204] });
}
