// Projects: creation, changes, publication and deletion.

import { newKey } from './http.js';

const ROUTE = '/api/projects/{id}';

/** Creates a project and returns it. */
export function createProject(client, name) {
  const body = { name, description: 'Created by a load test, which deletes it later.' };
  return client.call('POST', '/api/projects', { body, headers: newKey(), wanted: [201] }).json();
}

/** Reads a project, then changes its description under `If-Match`; returns the new version. */
export function changeProject(client, id, description) {
  const read = client.call('GET', ROUTE, { at: { id } });
  const changed = client.call('PATCH', ROUTE, { at: { id }, body: { description }, headers: { 'if-match': read.headers.Etag } });
  return version(changed);
}

/** The current version of a project. */
export function projectVersion(client, id) {
  return version(client.call('GET', ROUTE, { at: { id } }));
}

/** Publishes a project; returns its slug. */
export function publish(client, id) {
  return client.call('POST', `${ROUTE}/publish`, { at: { id }, body: {}, headers: newKey() }).json('slug');
}

/** Removes a project from the showcase. */
export function unpublish(client, id) {
  client.call('DELETE', `${ROUTE}/publish`, { at: { id } });
}

/** The first 100 projects of the signed-in user. */
export function ownProjects(client) {
  return client.call('GET', '/api/projects', { query: '?limit=100' }).json('items');
}

/** Deletes a project, with its environments. */
export function deleteProject(client, id) {
  client.call('DELETE', ROUTE, { at: { id }, wanted: [204] });
}

/** The number in an ETag such as "7". */
function version(answer) {
  return Number(answer.headers.Etag.match(/\d+/)[0]);
}
