// Projects: made, changed, published and deleted.

import { newKey } from './http.js';

const ROUTE = '/api/projects/{id}';

/** Makes a project; answers it. */
export function createProject(client, name) {
  const body = { name, description: 'Made under load, and taken away again.' };
  return client.call('POST', '/api/projects', { body, headers: newKey(), wanted: [201] }).json();
}

/** Changes a project's description, as who has just read it; answers its version then. */
export function changeProject(client, id, description) {
  const read = client.call('GET', ROUTE, { at: { id } });
  const changed = client.call('PATCH', ROUTE, { at: { id }, body: { description }, headers: { 'if-match': read.headers.Etag } });
  return version(changed);
}

/** The version that a project has now. */
export function projectVersion(client, id) {
  return version(client.call('GET', ROUTE, { at: { id } }));
}

/** Publishes a project; answers its slug. */
export function publish(client, id) {
  return client.call('POST', `${ROUTE}/publish`, { at: { id }, body: {}, headers: newKey() }).json('slug');
}

/** Takes a project out of the showcase. */
export function unpublish(client, id) {
  client.call('DELETE', `${ROUTE}/publish`, { at: { id } });
}

/** The first of who is signed in's projects. */
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
