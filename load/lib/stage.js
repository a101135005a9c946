// What journeys share: people who have accounts, a project on show, and what listeners subscribe to: a project that is changed, and
// a running environment, in a project of its own because a change takes a project out of the cache for a while. Made before the first
// journey, taken away after the last; accounts stay, for the service deletes none.

import { logIn, register } from './accounts.js';
import { awaitStatus, createEnvironment, operate } from './environments.js';
import { browser } from './http.js';
import { linkedAccounts, unlink } from './platforms.js';
import { createProject, deleteProject, ownProjects, publish } from './projects.js';

/** Makes it. */
export function setUp(size) {
  const run = crypto.randomUUID().slice(0, 8);
  const people = Array.from({ length: size }, (_, number) => register(`load-${run}-${number}@example.org`));
  const host = register(`load-${run}-host@example.org`);
  const token = logIn(browser, host);
  const exhibit = publish(browser, createProject(browser, 'On show').id);
  const project = createProject(browser, 'Ever changing').id;
  const environment = createEnvironment(browser, createProject(browser, 'Up and running').id);
  awaitStatus(environment, 'stopped');
  operate(browser, environment, 'start');
  awaitStatus(environment, 'running');
  return { people, host, token, exhibit, project, environment };
}

/** Takes it away, and whatever interrupted journeys left. */
export function tearDown({ people, host }) {
  for (const person of [...people, host]) {
    logIn(browser, person);
    ownProjects(browser).forEach(({ id }) => deleteProject(browser, id));
    linkedAccounts().forEach(({ id }) => unlink(browser, id));
    browser.call('POST', '/api/auth/logout-all', { wanted: [204] });
  }
}
