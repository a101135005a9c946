// Posts: creation, delivery, and the statistics of the platform account.

import { sleep } from 'k6';

import { browser, newKey } from './http.js';

/** Long, because on a busy machine a job may need all of its five attempts. */
const LIMIT_SECONDS = 60;

/** Announces a published project; returns the post's identifier. */
export function announce(client, project, platforms) {
  const body = { project_id: project, text: 'It is there', platforms };
  return client.call('POST', '/api/posts', { body, headers: newKey(), wanted: [201] }).json('id');
}

/** Waits until a post is delivered. */
export function awaitDelivery(id) {
  for (let waited = 0; waited < LIMIT_SECONDS; waited += 1) {
    const deliveries = browser.call('GET', '/api/posts/{id}', { at: { id } }).json('deliveries');
    if (deliveries.every(({ status }) => status === 'delivered')) {
      return;
    }
    sleep(1);
  }
  throw new Error(`timed out after ${LIMIT_SECONDS} s: the post is not delivered`);
}

/** Reads the statistics of a platform account. */
export function readInsights(client, platform) {
  client.call('GET', '/api/insights/{platform}', { at: { platform } });
}
