// Accounts: registration, sign-in and sign-out.

import { browser } from './http.js';

const PASSWORD = 'open sesame, said the load';

/** Registers an account; returns its e-mail address. */
export function register(email) {
  const body = { email, password: PASSWORD, display_name: 'Somebody under load' };
  browser.call('POST', '/api/auth/register', { body, wanted: [201] });
  return email;
}

/** Signs in. k6 keeps the cookie for later requests of the browser; the returned token authenticates a program. */
export function logIn(client, email) {
  return client.call('POST', '/api/auth/login', { body: { email, password: PASSWORD, device: 'load' } }).json('token');
}

/** Tries to sign in with a wrong password. */
export function mistype(client, email) {
  client.call('POST', '/api/auth/login', { body: { email, password: `${PASSWORD}?` }, wanted: [401] });
}

/** Requests the mail that confirms the address again; 409 if the service sends no mail. */
export function askForMail(client) {
  client.call('POST', '/api/auth/confirmations', { wanted: [202, 409] });
}

/** Reads the current user and their sessions. */
export function lookAround() {
  browser.call('GET', '/api/auth/me');
  browser.call('GET', '/api/auth/sessions');
}

/** Signs out. */
export function logOut(client) {
  client.call('POST', '/api/auth/logout', { wanted: [204] });
}
