// Environments: their lifecycle, sessions, extensions and logs.

import { sleep } from 'k6';

import { browser, newKey } from './http.js';

const ROUTE = '/api/environments/{id}';
/** Long, because on a busy machine a job may need all of its five attempts. */
const LIMIT_SECONDS = 60;

/** Creates an environment in a project; returns its identifier. */
export function createEnvironment(client, project) {
  const body = { name: 'under-load', image: 'busybox:1.37' };
  const options = { at: { id: project }, body, headers: newKey(), wanted: [201] };
  return client.call('POST', '/api/projects/{id}/environments', options).json('id');
}

/** Requests a start, stop or restart; returns before it is complete. */
export function operate(client, id, operation) {
  client.call('POST', `${ROUTE}/${operation}`, { at: { id }, wanted: [202] });
}

/** Waits until an environment has a status. */
export function awaitStatus(id, wanted, client = browser) {
  until('status', wanted, () => client.call('GET', ROUTE, { at: { id } }).json('status'));
}

/** Deletes an environment and waits until it is gone. */
export function deleteEnvironment(client, id) {
  client.call('DELETE', ROUTE, { at: { id }, wanted: [202] });
  until('response status', 404, () => browser.call('GET', ROUTE, { at: { id }, wanted: [200, 404] }).status);
}

/** Opens a session for an editor and closes it again. */
export function attach(client, id) {
  const session = client.call('POST', `${ROUTE}/sessions`, { at: { id }, body: { type: 'vscode' }, wanted: [201] });
  client.call('DELETE', '/api/sessions/{id}', { at: { id: session.json('id') }, wanted: [204] });
}

/** Requests the installation of an extension; returns before it is complete. */
export function install(client, id, extension) {
  client.call('PUT', `${ROUTE}/extensions/{extension}`, { at: { id, extension }, wanted: [200, 202] });
}

/** Reads an environment's log, at most its first 1000 lines; returns their number. */
export function readLog(id) {
  return browser.call('GET', `${ROUTE}/logs`, { at: { id }, query: '?after=0&limit=1000' }).json('items').length;
}

function until(what, wanted, read) {
  for (let waited = 0; waited < LIMIT_SECONDS; waited += 1) {
    if (read() === wanted) {
      return;
    }
    sleep(1);
  }
  throw new Error(`timed out after ${LIMIT_SECONDS} s: the ${what} of the environment is not ${wanted}`);
}
